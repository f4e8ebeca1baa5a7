"""Files and folders that are written whole or not at all, and never over something that was not asked for."""

from likely.files.folders import copied_folder, filled_folder, left_beside, replaced_folder
from likely.files.places import contains, refuse_existing, refuse_unwritable, same_place
from likely.files.reading import Counted, inflated, read_regular
from likely.files.room import MAX_BYTES, demand_room, gib, most_bytes, no_room
from likely.files.whole import write

__all__ = [
    "MAX_BYTES",
    "Counted",
    "contains",
    "copied_folder",
    "demand_room",
    "filled_folder",
    "gib",
    "inflated",
    "left_beside",
    "most_bytes",
    "no_room",
    "read_regular",
    "refuse_existing",
    "refuse_unwritable",
    "replaced_folder",
    "same_place",
    "write",
]
