"""From data to a stored run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from likely.cli import show
from likely.cli.arguments import (
    Background,
    Binarized,
    Cache,
    Channels,
    Conditions,
    Continued,
    Exposed,
    FitData,
    Init,
    Json,
    Kinds,
    Limited,
    Memory,
    Overwrite,
    Resize,
    Resumed,
    Split,
    Weighted,
)
from likely.cli.loading import brought, opened
from likely.cli.options import checked_seed
from likely.cli.read_options import Dated, Decimal, Separator

__all__ = ["fit"]


def fit(
    ctx: typer.Context,
    data: FitData = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Directory for the run.", metavar="RUN")] = None,
    resume: Resumed = None,
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
    size: Annotated[
        str | None,
        typer.Option(
            help="Of hierarchy:conv: tiny, small, base or large networks; by the minutes unless told.",
            metavar="SIZE",
        ),
    ] = None,
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
    memory: Memory = None,
    cache: Cache = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of everything random; 0 unless given.", callback=checked_seed),
    ] = None,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Before training, tell where a step's time goes, and its share of the machine's rate."
        ),
    ] = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> int:
    """Learn P(X) from DATA and store the run.

    --resume RUN finishes a fit that was killed, stopped (SIGTERM) or interrupted (Ctrl-C), from its last checkpoint: it
    ends as it would have without. Its options are those of the fit; DATA is where the fit had it unless given.

    --continue RUN --minutes 5 lengthens a finished fit: its last weights and optimiser go on over the same rows, under
    a rate that rises to the first and falls to zero; the best weights so far stay unless beaten on the same
    validation rows. RUN is updated in place, or left alone with -o; DATA is where the run has it unless given.

    --init RUN starts another fit: of RUN's model, from its weights, on the rows of DATA, which must be of its schema.
    """
    import likely
    from likely.assembly import Own
    from likely.cli.continuing import demanded, lengthened, resumed
    from likely.cli.options import data_keywords, read_config, settings

    if resume is not None:
        return resumed(ctx, resume, json=json)
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
        "size": size,
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
        memory=memory,
        cache=cache,
        profile=profile,
        init=None if init is None else opened(init),
        config=read_config(config),
        **data_keywords(ctx.params),
        **options,
    )
    show.fitted(run, json=json)
    return 130 if run.record.interrupted else 0
