"""The commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from likely.cli import show
from likely.cli.arguments import (
    Background,
    Beyond,
    Binarized,
    Channels,
    Conditions,
    Continued,
    Data,
    Device,
    Exposed,
    FitData,
    Init,
    Json,
    Kinds,
    Limited,
    Output,
    Overwrite,
    Resize,
    ScoreSamples,
    Seed,
    Split,
    Stored,
    Told,
    Weighted,
)
from likely.cli.asking import ask
from likely.cli.comparing import compare
from likely.cli.group import Commands, tell_version
from likely.cli.loading import brought, opened, tell_factories
from likely.cli.options import checked_seed
from likely.cli.read_options import Dated, Decimal, Separator
from likely.cli.sampling import sample
from likely.cli.walking import interpolate, traverse

__all__ = ["app"]


app = typer.Typer(
    name="likely",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog="--debug, anywhere, shows the traceback of an error.",
)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=tell_version, is_eager=True)
    ] = False,
    factory: Annotated[
        list[str] | None,
        typer.Option(
            "--factory",
            metavar="ROLE=MODULE:CALLABLE",
            callback=tell_factories,
            help="Import and call this for encoder, decoder, model or objective: what a run has of your own.",
        ),
    ] = None,
) -> None:
    """Learn the distribution P(X) of a data set with a variational autoencoder, and use it."""


@app.command()
def fit(
    ctx: typer.Context,
    data: FitData = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Directory for the run.", metavar="RUN")] = None,
    continue_: Continued = None,
    init: Init = None,
    latent: Annotated[int | None, typer.Option(help="Dimension of z.")] = None,
    model: Annotated[
        str | None, typer.Option(help="vae, or hierarchy:mlp:3 with groups of z; see likely parts model.")
    ] = None,
    prior: Annotated[str | None, typer.Option(help="P(z): normal, vamp:500, ...; see likely parts prior.")] = None,
    posterior: Annotated[
        str | None, typer.Option(help="Q(z|x): normal, flow:2, ...; see likely parts posterior.")
    ] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(help="P(x|z), by the form of x unless given: gaussian:shared, ...; see likely parts likelihood."),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="What is maximised: elbo, iwae:50:dreg, ...; see likely parts objective.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Encoder and decoder; see likely parts network.")] = None,
    members: Annotated[
        int | None, typer.Option(help="Train so many models apart; P(x) is their mixture, which pays on small tables.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Budget in epochs.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Budget in minutes of training.")] = None,
    column: Kinds = None,
    condition: Conditions = None,
    binarize: Binarized = None,
    resize: Resize = None,
    background: Background = None,
    channels: Channels = None,
    limits: Limited = None,
    separator: Separator = None,
    decimal: Decimal = None,
    date_format: Dated = None,
    exposure: Exposed = None,
    weight: Weighted = None,
    split: Split = "random",
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set any option of the configuration.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Start from a config.json.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of everything random; 0 unless given.", callback=checked_seed),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> int:
    """Learn P(X) from DATA and store the run.

    --continue RUN --minutes 5 lengthens a finished fit: its last weights and optimiser go on over the same rows, under
    a rate that rises to the first and falls to zero; the best weights so far stay unless beaten on the same
    validation rows. RUN is updated in place, or left alone with -o; DATA is where the run has it unless given.

    --init RUN starts another fit: of RUN's model, from its weights, on the rows of DATA, which must be of its schema.
    """
    import likely
    from likely.assembly import Own
    from likely.cli.lengthening import demanded, lengthened
    from likely.cli.options import limits as limits_of
    from likely.cli.options import pairs, read_config, settings, size

    if continue_ is not None:
        return lengthened(ctx, continue_, json=json)
    data, output = demanded(data, output)
    own = Own.of({role: part for role, part in brought().items() if init is None or role == "objective"})
    options: dict[str, Any] = {
        "latent": latent,
        "prior": prior,
        "posterior": posterior,
        "likelihood": likelihood,
        "encoder": own.encoder,
        "decoder": own.decoder,
        "model": own.model or model,
        "objective": own.objective or objective,
        "network": network,
        "members": members,
        "epochs": epochs,
        "minutes": minutes,
        "device": device,
        "seed": seed,
        **settings(set_),
    }
    run = likely.fit(
        data,
        out=output,
        overwrite=overwrite,
        init=None if init is None else opened(init),
        config=read_config(config),
        column=pairs(column, "--column"),
        condition=condition or (),
        binarize=binarize,
        resize=size(resize),
        background=background,
        channels=channels,
        limits=limits_of(limits),
        separator=separator,
        decimal=decimal,
        date_format=pairs(date_format, "--date-format"),
        exposure=exposure,
        weight=weight,
        split=split,
        **options,
    )
    show.fitted(run, json=json)
    return 130 if run.record.interrupted else 0


@app.command()
def inspect(
    data: Data,
    column: Kinds = None,
    condition: Conditions = None,
    binarize: Binarized = None,
    resize: Resize = None,
    background: Background = None,
    channels: Channels = None,
    limits: Limited = None,
    separator: Separator = None,
    decimal: Decimal = None,
    date_format: Dated = None,
    exposure: Exposed = None,
    weight: Weighted = None,
    split: Split = "random",
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a page of pictures: a name that ends in .html.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Say what DATA is taken for, and why; with a picture of every column."""
    import likely
    from likely.cli.inspected import inspection, ready
    from likely.cli.options import limits as limits_of
    from likely.cli.options import pairs, size

    ready(output, overwrite=overwrite)
    found = likely.inspect(
        data,
        column=pairs(column, "--column"),
        condition=condition or (),
        binarize=binarize,
        resize=size(resize),
        background=background,
        channels=channels,
        limits=limits_of(limits),
        separator=separator,
        decimal=decimal,
        date_format=pairs(date_format, "--date-format"),
        exposure=exposure,
        weight=weight,
        split=split,
        seed=seed,
    )
    inspection(found, name=data, output=output, json=json)


@app.command()
def evaluate(
    run: Stored,
    data: Annotated[str | None, typer.Argument(help="Rows to evaluate; the stored test rows unless given.")] = None,
    given: Told = None,
    samples: Annotated[int, typer.Option(help="K of the importance-weighted bound and the other estimates.")] = 500,
    anneal: Annotated[int, typer.Option(metavar="ROWS", help="Anneal at most so many rows; 0 for none.")] = 100,
    precise: Annotated[
        bool, typer.Option("--precise", help="Anneal with more temperatures and chains: within 0.1 nats, not 0.5.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Bound log P(x) of 100 simulated rows from both sides.")
    ] = False,
    seed: Seed = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write the values of each row: csv or parquet.")
    ] = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Print the ledger: every term of log P(X) - D[Q(z|X)||P(z|X)] = E_Q[log P(X|z)] - D[Q(z|X)||P(z)]."""
    from likely.cli.options import told
    from likely.cli.output import ready, save_frame
    from likely.cli.splitting import numbered

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    found = fitted.assess(
        data, given=told(given), samples=samples, seed=seed, anneal=anneal, precise=precise, calibrate=calibrate
    )
    if output is not None:
        save_frame(numbered(fitted, data, found.frame()), output, overwrite=overwrite)
    show.ledger(found.ledger, json=json)


app.command()(sample)


@app.command()
def score(
    run: Stored,
    data: Data,
    given: Told = None,
    samples: ScoreSamples = 100,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Score each row of DATA: its number, log P(x), its Monte Carlo error and the ELBO, in nats."""
    from likely.cli.options import told
    from likely.cli.output import deliver, ready
    from likely.cli.splitting import numbered

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    scores = fitted.score(data, given=told(given), samples=samples, seed=seed)
    deliver(fitted.schema, numbered(fitted, data, scores), output, overwrite=overwrite, json=json)


@app.command()
def anomalies(
    run: Stored,
    data: Data,
    n: Annotated[int, typer.Option("-n", help="How many rows to print.")] = 20,
    false_alarms: Annotated[
        float | None, typer.Option(metavar="RATE", help="Mark anomalies, at most this share of rows that are none.")
    ] = None,
    given: Told = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of z a row.")] = 100,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Rank the rows of DATA by -log P(x), with what each column contributes to it.

    Where cells are missing rows are ranked by `tail` instead: of 200 rows drawn from the model, with the same cells
    taken out, the share that is no more probable than the row ((1 + count)/201), since log P(x) of few cells is not to
    be compared with that of many. `p-value`: the share of the run's test rows that rank as high. `anomaly`, with
    --false-alarms: yes where the p-value is at most the rate.
    """
    from likely.cli.anomalous import anomalous
    from likely.cli.options import told
    from likely.cli.output import ready

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    ranked = fitted.anomalies(data, given=told(given), false_alarms=false_alarms, samples=samples, seed=seed)
    anomalous(fitted, data, ranked, n=n, output=output, overwrite=overwrite, json=json)


app.command()(ask)
app.command()(interpolate)
app.command()(traverse)
app.command()(compare)


@app.command()
def impute(
    run: Stored,
    data: Data,
    draws: Annotated[
        int | None, typer.Option(metavar="M", help="M complete data sets, one after the other, told apart by `draw`.")
    ] = None,
    mode: Annotated[bool, typer.Option("--mode", help="The most probable number instead of the mean.")] = False,
    deviation: Annotated[
        bool, typer.Option("--deviation", help="Also each filled cell's standard deviation, in columns NAME_sd.")
    ] = False,
    beyond_range: Beyond = False,
    given: Told = None,
    samples: Annotated[int, typer.Option("--samples", help="Draws of z a row.")] = 200,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Fill the missing cells of DATA by what the observed ones say of them."""
    from likely.cli.imputed import one_document
    from likely.cli.options import told
    from likely.cli.output import deliver, ready, tell_range

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    made = fitted.impute(
        data,
        given=told(given),
        draws=draws,
        mode=mode,
        deviation=deviation,
        beyond_range=beyond_range,
        samples=samples,
        seed=seed,
    )
    deliver(fitted.schema, one_document(made), output, overwrite=overwrite, json=json)
    tell_range(made[0] if draws else made)


@app.command()
def encode(
    run: Stored,
    data: Data,
    given: Told = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row's code: the mean of Q(z|x); of discrete codes, their probabilities."""
    from likely.cli.options import told
    from likely.cli.output import codes, deliver, ready

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    deliver(
        fitted.schema, codes(fitted.encode(data, given=told(given)), output), output, overwrite=overwrite, json=json
    )


@app.command()
def reconstruct(
    run: Stored,
    data: Data,
    given: Told = None,
    output: Output = None,
    overwrite: Overwrite = False,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write each row as the model sees it: the mean of P(x|z) at the mean of Q(z|x) (of codes: its mode)."""
    from likely.cli.options import told
    from likely.cli.output import deliver, ready

    ready(output, overwrite=overwrite)
    fitted = opened(run, device)
    made = fitted.reconstruct(data, given=told(given))
    deliver(fitted.schema, made, output, overwrite=overwrite, json=json)


@app.command()
def report(run: Stored, output: Output = None, overwrite: Overwrite = False) -> None:
    """Write the report: one self-contained HTML file with pictures, into RUN unless told otherwise."""
    print(opened(run).report(output, overwrite=overwrite or output is None))


@app.command()
def split(
    run: Stored,
    part: Annotated[str, typer.Option(help="Which rows: train, val or test.")] = "test",
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write the rows of one part of the data that RUN was fitted on, as they were read."""
    from likely.cli.output import ready
    from likely.cli.splitting import deliver_part

    ready(output, overwrite=overwrite)
    deliver_part(opened(run), part, output, overwrite=overwrite, json=json)


@app.command()
def parts(
    room: Annotated[
        str | None, typer.Argument(help="model, prior, posterior, likelihood, objective or network; all unless given.")
    ] = None,
    json: Json = False,
) -> None:
    """List the parts that a model is made of: how each is written, what it is, and its source."""
    from likely.cli.parts import show_parts

    show_parts(room, json=json)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Directory for the run and its report.")] = Path(
        "demo"
    ),
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> int:
    """Fit the 1,797 handwritten digits that ship with scikit-learn, and report."""
    from likely.cli.demo import run_demo

    return run_demo(output, seed=seed, overwrite=overwrite)
