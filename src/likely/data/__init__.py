"""What X is: sources, schema, encoded rows, batches."""

from likely.data.batch import Batch
from likely.data.cells_alike import cells_notice
from likely.data.channels import channels_notice, demand_channels, inward, outward
from likely.data.classes import with_classes
from likely.data.conditions import Given, condition_values, span, with_conditions_beside
from likely.data.dates import shown
from likely.data.decode import decode
from likely.data.encode import encode, encode_given
from likely.data.encoded import EncodedRows, ResidentRows
from likely.data.equal import equal_sets, shared
from likely.data.exposure import counted, with_exposure
from likely.data.exposure_and_weight import with_values_beside
from likely.data.infer import SchemaOptions, infer_schema
from likely.data.kinds import Binarize, Channels, Form, Kind
from likely.data.limits import Limits, with_limits
from likely.data.parting import ungrouped
from likely.data.patterns import Patterns
from likely.data.resolution import confirmed
from likely.data.returns import demand_returns
from likely.data.schema import Column, Schema
from likely.data.schema_checks import demand_consistent_conditions
from likely.data.source import Rows, RowStore, Source
from likely.data.split import DividedRows, Division, Split, digest, divide
from likely.data.warp import Warp
from likely.data.weights import WEIGHT, weighing, weights_of, with_weight

__all__ = [
    "WEIGHT",
    "Batch",
    "Binarize",
    "Channels",
    "Column",
    "DividedRows",
    "Division",
    "EncodedRows",
    "Form",
    "Given",
    "Kind",
    "Limits",
    "Patterns",
    "ResidentRows",
    "RowStore",
    "Rows",
    "Schema",
    "SchemaOptions",
    "Source",
    "Split",
    "Warp",
    "cells_notice",
    "channels_notice",
    "condition_values",
    "confirmed",
    "counted",
    "decode",
    "demand_channels",
    "demand_consistent_conditions",
    "demand_returns",
    "digest",
    "divide",
    "encode",
    "encode_given",
    "equal_sets",
    "infer_schema",
    "inward",
    "outward",
    "shared",
    "shown",
    "span",
    "ungrouped",
    "weighing",
    "weights_of",
    "with_classes",
    "with_conditions_beside",
    "with_exposure",
    "with_limits",
    "with_values_beside",
    "with_weight",
]
