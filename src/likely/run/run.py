"""A fitted run and its verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from likely import assembly
from likely.config import Config
from likely.data import (
    Division,
    EncodedRows,
    Given,
    Patterns,
    Rows,
    Schema,
    Source,
    encode,
    weights_of,
    with_conditions_beside,
)
from likely.data.kinds import Measure
from likely.errors import DataError
from likely.evaluation.proposals import ProposalRule, SeenRows
from likely.hooks import report_writer
from likely.models import Model
from likely.run.anomalies import AnomalyOptions, anomalies
from likely.run.ask import AskOptions, asked
from likely.run.described import described
from likely.run.encode import decoded, encoded, reconstructed
from likely.run.export import export_as
from likely.run.forms import packed
from likely.run.home import Home
from likely.run.impute import imputed
from likely.run.missing import note_new_missing
from likely.run.reading import rows_of, training_source
from likely.run.record import FitRecord
from likely.run.sample import Asked, SampleOptions, drawn
from likely.run.save import save_as
from likely.run.score import scored
from likely.run.split import part_of
from likely.run.traverse import interpolate, traverse
from likely.training import Monitor

if TYPE_CHECKING:
    from likely.evaluation import Assessment, Ledger, Origin

__all__ = ["Run"]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A fitted model with everything that is needed to use it; made by `likely.fit` or `likely.load`.

    Attributes
    ----------
    config, schema, model
        The configuration, what X is, and the VAE with the selected weights.
    history
        One row per validation.
    record
        Where the rows came from, and what training came to: steps, seconds, which weights were kept.
    division
        Row numbers of training, validation and test rows.
    notices
        What was said during the fit.
    patterns
        Which cells of the training rows are missing together; `None` where none is.
    conditions
        y of the training rows as they are encoded, `(rows, conditions)`; `None` for a model of P(x) alone.
    seen
        What the training rows were like; `None` for a run of an earlier version.
    own
        What the user brought in the place of parts by name.
    states
        What training knew at its end, one for each member; empty in a run that was loaded: they are in its directory.
    progress
        Whether verbs draw a bar, in a terminal or a notebook, where they take more than two seconds.
    home
        Where it is stored, and what its verbs have read again; the one thing that changes.

    """

    config: Config
    schema: Schema
    model: Model
    history: pd.DataFrame
    record: FitRecord
    division: Division
    notices: tuple[str, ...] = ()
    patterns: Patterns | None = None
    conditions: torch.Tensor | None = None
    seen: SeenRows | None = None
    own: assembly.Own = assembly.NO_OWN
    states: tuple[dict[str, Any], ...] = ()
    progress: bool = True
    home: Home = field(default_factory=Home)

    def __repr__(self) -> str:
        return described(self).text()

    def _repr_html_(self) -> str:
        return described(self).html()

    def evaluate(
        self,
        data: Any = None,
        *,
        given: Given | None = None,
        samples: int | None = None,
        seed: int = 0,
        anneal: int | None = None,
        precise: bool = False,
        calibrate: bool = False,
        rivals: bool = False,
    ) -> Ledger:
        """The ledger: log P(X) − D[Q(z|X)‖P(z|X)] = E_Q[log P(X|z)] − D[Q(z|X)‖P(z)], term by term, in nats per row.

        Beside it: log P(x) annealed (or exact, of few codes) for some rows, with the gap split; baselines on the same
        rows in the same base measure; a diagnosis of the fit. In every verb of a conditional run P(x) is P(x|y).

        Parameters
        ----------
        data
            Rows to evaluate: all of them, or the test part where the data has one. Without data: the stored test rows.
        given
            Condition -> one value, or one a row, where the data do not hold them or others are meant; in every verb.
        samples
            K of L_K and other estimates, of all rows. Unless given 500; of a `hierarchy:conv` 50, of 2,000 rows.
        seed
            Of the noise, which is keyed by (seed, row).
        anneal
            Rows annealed at most, chosen by content: 100; of a `hierarchy:conv` 0 unless given, then in ten minutes.
        precise
            Anneal until the bounds on simulated rows are within 0.1 nats instead of 0.5, however long it takes.
        calibrate
            Bound log P(x) of 100 more simulated rows from both sides.
        rivals
            Compare with a neural spline flow, trained for as long as the model was (tables of numeric columns).

        Raises
        ------
        DataError
            If the rows do not fit the schema, or the test rows are gone.

        """
        how: dict[str, Any] = {"samples": samples, "seed": seed, "anneal": anneal}
        return self.assess(data, given=given, precise=precise, calibrate=calibrate, rivals=rivals, **how).ledger

    def assess(
        self,
        data: Any = None,
        *,
        given: Given | None = None,
        samples: int | None = None,
        seed: int = 0,
        anneal: int | None = None,
        precise: bool = False,
        calibrate: bool = False,
        rivals: bool = False,
    ) -> Assessment:
        """The ledger of `evaluate` with the estimates behind it, row by row; `Assessment.frame` has the rows."""
        from likely.run.evaluate import evaluated
        from likely.run.extent import asked

        options, most = asked(self, samples, anneal, seed=seed, precise=precise, calibrate=calibrate)
        return evaluated(self, data, options, given=given, rivals=rivals, most=most)

    def proposal_rule(self, *, precise: bool = False) -> ProposalRule:
        """For which rows z is drawn from more than Q(z|x); for arrays and pictures fewer unless `precise`."""
        return ProposalRule(self.seen, precise or not self.schema.cells_alike)

    def score(
        self, data: Any, *, given: Given | None = None, samples: int = 100, seed: int = 0, precise: bool = False
    ) -> Any:
        """log P(x) per row, in input order: `log_px`, `se_mc`, `elbo`, `low`, `high`, in nats, `ess` and `stable`.

        A frame of pandas, or what held the table. `log_px` is an importance-weighted estimate: a lower bound on
        log P(x) in expectation, so that the value of one row can lie above it. `low` to `high` is an interval for
        log P(x) of about 95%, from the error of sampling z alone: log_px - 2 se_mc to log_px + 3 se_mc, since weights
        are skewed and a mean of them more often lies too low.

        `ess` is the effective number of the draws of z behind it. A row of a table that a pilot of 100 draws serves
        badly (fewer than ten effective ones; fewer than ninety where a cell lies beyond those of the training rows)
        gets Qs of its own, optimised from eleven starts, and z is drawn from these, the encoder's and P(z); so does one
        of pictures or arrays with `precise`. A row that misses a cell which no training row misses has a part of its z
        drawn from P(z). Where `stable` is false, `ess` is below ten, or below a tenth of the samples, even so: neither
        `log_px` nor `se_mc` can be relied on. Where z is summed over, `log_px` is exact, and there is no `ess`.

        For a row with missing cells, `log_px` covers the observed cells only; compare it only with rows that miss the
        same cells.
        """
        return scored(self, data, given=given, samples=samples, seed=seed, precise=precise)

    def anomalies(
        self,
        data: Any,
        *,
        given: Given | None = None,
        false_alarms: float | None = None,
        samples: int = 100,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Rows ranked by −log P(x), the least probable first, each with what makes it so.

        −log P(x) = Σ_j E_{P(z|x)}[−log P(x_j|z)] + D[P(z|x)‖P(z)]: what each column contributes, and what the code
        does, by self-normalised importance sampling.

        Parameters
        ----------
        data, given
            The rows.
        false_alarms
            Mark as anomalies so much of the rows that are none: at most this share of them in expectation, whatever the
            model, if they come from where the test rows come from (Vovk, Gammerman, Shafer 2005, section 2.1; Laxhammar
            and Falkman 2010).
        samples, seed
            Draws of z a row; of the noise.

        Returns
        -------
        pandas.DataFrame
            `rank`, from 1; `score`, −log P(x) by the bound L_K, nats; `p_value`, the conformal one, (1 + how many test
            rows rank as high)/(n + 1), where the run's n test rows are there: of a complete row by −log P(x), unless
            test rows miss cells, whatever the other rows miss; `anomaly`, p_value ≤ false_alarms, where that is given;
            `ess`; `code` and one column for each cell: contributions that sum to the score. Where cells are missing, in
            these rows or the test rows, rows are ranked by `tail`, P(log P(X) ≤ log P(x)) of rows X of the model with
            the same missing cells, and then by `depth`, the standard deviations by which log P(x) lies below their
            mean. The index is the rows' own.

        Raises
        ------
        InputError
            If the rows do not fit the schema; or the run has less than 1/false_alarms − 1 test rows.

        """
        return anomalies(self, data, AnomalyOptions(false_alarms, samples, seed), given=given)

    def ask(
        self,
        data: Any,
        events: str | Sequence[str],
        *,
        given: Given | None = None,
        samples: int = 200,
        seed: int = 0,
    ) -> pd.DataFrame:
        """P(event|the observed cells of the row) for every row: a prediction of any column from all the others.

        E_{P(z|x_observed)} P(event|z), by self-normalised importance sampling of z ~ Q(z|x_observed). The cells of the
        event's own columns count as missing, whatever the row holds there, or the answer would be 0 or 1; data
        without these columns will do.

        Parameters
        ----------
        data, given
            The rows of a table.
        events
            One or several, each asked by itself: `"income=>50K"`, `"age>50"`, `"sex!=Male"`, `"town=A|B"`,
            as in `sample`; `"age>50 & age<=60 & sex=Male"` where several must hold together.
        samples, seed
            Draws of z a row, more where they have little weight; of the noise.

        Returns
        -------
        pandas.DataFrame
            Of each event a column of probabilities, named as the event, and `EVENT se_mc`, their standard errors from
            sampling z, by the jackknife. In input order.

        Raises
        ------
        InputError
            If the rows do not fit the schema; or an event cannot be read, is about a condition of the model, or is one
            number of a column with a density, which has probability 0.

        """
        return asked(self, data, events, AskOptions(samples, seed), given=given)

    impute = imputed

    def encode(self, data: Any, *, given: Given | None = None) -> Any:
        """Means of Q(z|x): a frame with `z0`, `z1`, ... for tables, else an array or tensor `(rows, latent)`.

        On a hypersphere a mean lies inside, the nearer to the middle the less is known; of codes it is the vector of
        their probabilities. Of an ensemble, whose members have codes of their own, it is the first member's.
        """
        return encoded(self, data, given)

    def reconstruct(self, data: Any, *, given: Given | None = None) -> Any:
        """Mean of P(x|z) at the mean of Q(z|x) (of a categorical column: the most probable category), of every cell.

        On a hypersphere and of codes, where a mean is no z, it is at the mode of Q(z|x). Of an ensemble it is the first
        member's.
        """
        return reconstructed(self, data, given)

    def decode(self, codes: np.ndarray, *, given: Given | None = None) -> pd.DataFrame | np.ndarray:
        """Mean of P(x|z) at codes z, `(rows, latent)`, such as `encode` gives, in the form of the data.

        Of a categorical column it is the most probable category; of an ensemble it is the first member's.

        Raises
        ------
        DataError
            If the codes have another shape or are not finite.

        """
        return decoded(self, codes, given)

    def sample(
        self,
        n: int,
        *,
        given: Asked | None = None,
        mean: bool = False,
        with_missing: bool = False,
        beyond_range: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> Any:
        """Draw n rows from P(x): z ~ P(z), then x ~ P(x|z), or the mean of P(x|z) with `mean`; as the data came.

        Rows are complete unless `with_missing`. Rows of a table are draws of P(x|every number is within its
        column's range): one outside what training rows span is drawn again whole, z included. `frame.attrs["range"]`
        has how many were drawn, `rows`, and the share of them that lay outside, `outside`, which is the model's mass
        there. A column that an event is asked of is bound by the event alone.

        Parameters
        ----------
        n
            How many rows.
        given
            Condition -> one value, or one a row; every condition of P(x|y) must be given, but an exposure, which is
            drawn from those of the training rows where it is not. They come back in their columns. A modelled column ->
            a value, or several of which it must be one; or, for all that the command line can say, texts:
            `["education=Masters|Doctorate", "age>50", "age<=60", "sex!=Male"]`. Rows are then drawn from P(x|these
            events): z ~ P(z) is accepted with probability P(events|z), exactly, or, where they are rarer than a
            thousandth, chosen by weight; `frame.attrs["given"]` has their probability, and the effective
            number of draws. A number of a column without a grid is given by its density.
        mean, seed
            Take means; of the draws.
        with_missing
            Leave cells out as the training rows miss them: masks are drawn from the distribution of these rows' masks,
            independently of x, so as if cells were missing completely at random. Values are those drawn without.
        beyond_range
            Draw from P(x) itself.
        temperature
            τ: multiply the normal numbers behind z by it (of a flow its base's, of a hierarchy every group's, within
            the chosen component of a mixture). Below 1 rows are more usual and less varied; P(x|z) is as it is. Unless
            τ is 1 they are no draws of P(x), and that is said in a warning, and beside the rows where there is a place
            for it: `frame.attrs["temperature"]`, an arrow table's `schema.metadata`; arrays, tensors, polars have none.

        Raises
        ------
        InputError
            If a condition is not given, or has a category that was not seen in training; fewer than 1 in 100 rows drawn
            lie within the range; or a temperature is asked where z is a unit vector or a code.

        """
        options = SampleOptions(given, mean, with_missing, beyond_range, temperature, seed)
        return packed(self.record.data.container, drawn(self, n, options))

    save = save_as
    export = export_as
    interpolate = interpolate
    traverse = traverse

    def split(self, part: str) -> Any:
        """The rows of `train`, `val` or `test` as they came, in the data's order: a frame, an array or a tensor.

        Raises
        ------
        InputError
            If there is no such part, or the data of the fit are gone.

        """
        return part_of(self, part)

    def continue_training(
        self,
        data: Any = None,
        *,
        given: Given | None = None,
        out: str | Path | None = None,
        overwrite: bool = False,
        monitors: Sequence[Monitor] = (),
        minutes: float | None = None,
        epochs: int | None = None,
        steps: int | None = None,
    ) -> Run:
        """The run trained further, as another run: this one stays as it is.

        The last weights, not the best, and the optimiser go on under a schedule of their own: the rate rises to the
        fit's and falls to zero along a cosine. The history is lengthened; the best weights so far stay selected
        unless beaten on the same validation rows. `likely.fit(init=run)` starts another fit instead.

        Parameters
        ----------
        data, given
            The rows of the fit, where they were in memory and the run was loaded; what was given beside an array.
        out, overwrite
            Directory to store the result in; the run's own is replaced whole.
        monitors
            As in `likely.fit`.
        minutes, epochs, steps
            For how long: one of them; of an ensemble each member takes so many epochs or steps.

        Raises
        ------
        InputError
            If the rows are gone or others; if an earlier version fitted the run, or its training diverged.

        """
        from likely.run.continuing import ContinueOptions, continued

        options = ContinueOptions(minutes, epochs, steps, out, overwrite, monitors)
        return continued(self, data, options, given=given)

    def report(self, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
        """Write the report, one self-contained HTML file; into the run directory unless another place is given.

        Raises
        ------
        OutputError
            If the file exists and may not be replaced, or the run has no directory and no path is given.

        """
        return report_writer()(self, path, overwrite=overwrite)

    @property
    def aim(self) -> str:
        """What training maximised where that is not the ELBO, and whether it is a bound; empty where it is the ELBO."""
        return assembly.Resolved.of(self.config, self.schema, self.own).objective_text

    @property
    def steps(self) -> int:
        """Steps that training took; of an ensemble, here and below, its first member."""
        return self.record.members[0].steps

    @property
    def best(self) -> float:
        """Mean ELBO of the validation rows under the kept weights, nats a row; −∞ where none was validated.

        Constants that are set after training (`training.match_shares`) count; in the history they do not yet.
        """
        elbo = self.record.members[0].validation_elbo
        return float("-inf") if elbo is None else elbo

    @property
    def selected(self) -> str:
        """Whether the kept weights are the `weights` of a step or their `average`."""
        return self.record.members[0].selected

    @property
    def selected_step(self) -> int:
        """The step whose weights are kept, or their average then."""
        return self.record.members[0].selected_step

    @property
    def directory(self) -> Path | None:
        """Where the run is stored, or `None`."""
        return self.home.directory

    @property
    def facts(self) -> dict[str, Any]:
        """The record in one flat dictionary, as `run.json` has it."""
        return self.record.to_dict()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def measure(self) -> Measure:
        """What log-probabilities are relative to: `mass`, `density` or `mixed`."""
        return self.model.p_x_z.measure

    def encoded(self, rows: Rows, given: Given | None = None, seed: int | None = None) -> EncodedRows:
        """Rows checked, encoded, binarised once where that applies (by the run's seed unless given), on its device."""
        encoded = encode(self.schema, rows.values, with_conditions_beside(self.schema, rows, given))
        if not len(encoded):
            raise DataError("there are no rows")
        note_new_missing(self.model, self.schema, encoded)
        encoded = encoded.weighted(weights_of(self.schema, rows, given))
        return encoded.binarised_once(self.config.seed if seed is None else seed).to(self.device)

    def rows_of(self, data: Any = None) -> tuple[Rows, Callable[[], Origin]]:
        """The rows that a verb is about, and a function that says what they are to the fit."""
        return rows_of(self, data)

    def training_source(self) -> Source:
        """The data that the run was fitted on, read again from its path if need be, and checked to be unchanged."""
        return training_source(self)
