"""The sections of the page: each takes the findings and returns its HTML, or nothing when its part is absent."""

from __future__ import annotations

import math
from collections.abc import Callable
from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd

from likely.data.pictures import grid
from likely.report import examples, figures_fit, figures_latent, further, tables, trust
from likely.report.axes import percent
from likely.report.evidence import conditional, evidence
from likely.report.examples import given
from likely.report.findings import Findings
from likely.report.panels import Panel, panels, responsive
from likely.report.theme import picture

__all__ = ["SECTIONS", "Section", "active_units"]


class Section(NamedTuple):
    """One section: where it lies in the menu, its heading, and what writes it."""

    anchor: str
    heading: str
    write: Callable[[Findings], str]


def active_units(kl_per_dim: np.ndarray) -> int:
    """Count the latent dimensions whose KL exceeds 0.01 nats."""
    return int((np.asarray(kl_per_dim) > figures_fit.ACTIVE_NATS).sum())


def _fit(findings: Findings) -> str:
    history = findings.history
    if not given(history) or history is None:
        return ""
    kept = "" if findings.selected_step is None else f" The weights kept are those of step {findings.selected_step:,}."
    what = (
        f"Training maximised {escape(findings.aim)}. What is drawn is the ELBO all the same"
        if findings.aim
        else "Training raises the ELBO"
    )
    no_bound = "train_elbo" in history and not history["train_elbo"].notna().any()
    where = (
        "on validation rows, which the optimiser never sees: they show when training stops helping. On training rows z "
        "is relaxed, which gives no ELBO; the terms below are of these rows."
        if no_bound
        else "on the training rows; validation rows, which the optimiser never sees, show when it stops helping."
    )
    text = (
        f"{what}, a lower bound on log P(x), {where}{kept} Below, the two terms it is made of: better "
        "reconstruction is bought with a larger KL, that is, with codes that say more about their row. The vertical "
        "scale leaves out the steep climb of the first steps."
    )
    alt = "Learning curves: ELBO of training and validation rows, reconstruction term, KL and learning rate by step."
    drawn = responsive(lambda width: figures_fit.learning(history, findings.selected_step, width), alt)
    small = [Panel(title, figure, f"{title}, by step") for title, figure in figures_fit.terms(history)]
    return f"<p>{text}</p>{drawn}{panels(small)}"


def _reconstructions(findings: Findings) -> str:
    originals, rebuilt = findings.originals, findings.reconstructions
    if not (given(originals) and given(rebuilt)) or originals is None or rebuilt is None:
        return ""
    mean = "the mean of P(x|z) at the mean of the posterior Q(z|x) (its mode, where z is a unit vector or a code)"
    if _pictured(originals):
        text = f"<b>Above</b>, held-out pictures; <b>below</b>, each after encoding and decoding: {mean}."
        shown = examples.paired_pictures(np.asarray(originals), np.asarray(rebuilt))
    else:
        text = (
            f"Each row <b>x</b> is followed by what the <b>model</b> makes of it after encoding and decoding: {mean}, "
            "or the most probable value where a mean makes no sense."
        )
        shown = examples.paired_frame(originals, rebuilt)
    text += " What the second lacks was not worth its cost in the code."
    return f"<p>{text}</p>{shown}"


def _samples(findings: Findings) -> str:
    samples, means = findings.samples, findings.sample_means
    if not given(samples) or samples is None:
        return ""
    text = (
        "New examples: a code z is drawn from the prior P(z), then x from the likelihood P(x|z). If the model is "
        "good they could pass for data."
    )
    if findings.given:
        text += f" {conditional(findings)} Each has the y of a held-out row, in their order."
    if not _pictured(samples):
        return f"<p>{text}</p>{examples.frame(samples)}{_copies(findings)}"
    shown = examples.pictures(np.asarray(samples), "Pictures sampled from the model.")
    if not given(means) or means is None:
        return f"<p>{text}</p>{shown}"
    smooth = (
        "And the mean of P(x|z) at the same codes. A mean is smoother than any draw: it is not itself a sample, but "
        "it shows what the decoder has in mind without the noise of single pixels."
    )
    return f"<p>{text}</p>{shown}<p>{smooth}</p>{examples.pictures(np.asarray(means), 'Means of P(x|z), same codes.')}"


def _copies(findings: Findings) -> str:
    """Tell how many drawn rows are training rows again, beside what chance gives."""
    if findings.copies is None:
        return ""
    drawn, of_drawn, held_out, of_held_out = findings.copies
    if not drawn and not held_out:
        return (
            f"<p><b>Copies.</b> None of {of_drawn:,} drawn rows equals a training row in every modelled cell; neither "
            f"does any of the {of_held_out:,} held-out rows.</p>"
        )
    text = (
        f"<b>Copies.</b> {percent(drawn / of_drawn)} of {of_drawn:,} drawn rows equal a training row in every modelled "
        f"cell. So do {percent(held_out / of_held_out)} of the {of_held_out:,} held-out rows: that much is chance, "
        "where columns have few values."
    )
    error = math.sqrt(max(held_out, 1)) / of_held_out + math.sqrt(max(drawn, 1)) / of_drawn
    if drawn / of_drawn - held_out / of_held_out > 2 * error:
        text += " The model draws more of them than chance does: it has learned rows by heart."
    return f"<p>{text}</p>"


def _prior_walk(findings: Findings) -> str:
    if not given(findings.prior_z) or findings.prior_z is None or not given(findings.layers):
        return ""
    text = (
        "A simple distribution, bent far enough, can become almost any other. Here are draws from the prior P(z), "
        "coloured by angle and more vivid further out, and the same draws after each of the decoder's layers (the "
        "two principal components of its output). Folds and stretches are the network at work: it turns the cloud "
        "into what the data need."
    )
    drawn = figures_latent.prior_walk(findings.prior_z, findings.layers)
    return f"<p>{text}</p>{panels([Panel(name, figure, f'Prior draws: {name}') for name, figure in drawn])}"


def _latent_map(findings: Findings) -> str:
    if not given(findings.latent_map) or findings.latent_map is None:
        return ""
    cells = np.asarray(findings.latent_map)
    text = (
        "The latent space has two dimensions, so all of it can be seen: the mean of P(x|z), where z is the standard "
        "normal noise of the prior (bent by the prior, if it bends), rising from left to right and from bottom to top "
        "by equal steps of probability. Every picture stands for an equally probable piece of the prior; neighbours "
        "should resemble each other."
    )
    if findings.given:
        text += f" {conditional(findings)} All cells have the y of the first held-out row."
    image = grid(cells.reshape(-1, *cells.shape[2:]), columns=cells.shape[1])
    alt = f"A map of {cells.shape[0]} by {cells.shape[1]} decoded pictures over the latent plane."
    return f'<p>{text}</p><div class="pictures">{picture(image, alt)}</div>'


def _codes(findings: Findings) -> str:
    if not given(findings.codes) or findings.codes is None:
        return ""
    labels = findings.codes_labels if given(findings.codes_labels) else None
    colour = ""
    if labels is not None:
        colour = " Colours are the labels."
        if math.isfinite(findings.codes_told):
            colour = (
                f" Colours are <b>{escape(findings.codes_named)}</b>, the column of which this picture tells most: "
                f"{100 * findings.codes_told:.0f} % of its variance."
            )
    note = f" Coordinates: {escape(findings.codes_note.rstrip('.'))}." if findings.codes_note else ""
    text = f"Each point is a held-out row, placed at the mean of its posterior Q(z|x).{colour}{note}"
    alt = f"Scatter plot of {len(findings.codes)} codes in two dimensions."
    points, named, axes = findings.codes, findings.codes_named, findings.codes_axes
    return f"<p>{text}</p>" + responsive(lambda width: figures_latent.codes(points, labels, named, axes, width), alt)


def _dimensions(findings: Findings) -> str:
    if not given(findings.kl_per_dim) or findings.kl_per_dim is None:
        return ""
    active, total = active_units(findings.kl_per_dim), len(findings.kl_per_dim)
    text = (
        f"<b>{active} of {total}</b> {findings.kl_part}s are active: their posteriors differ from the prior by more "
        f"than {figures_fit.ACTIVE_NATS} nats on average."
    )
    if active < total:
        text += (
            " The others carry next to nothing about x and cost next to nothing. Dots on the floor of the figure may "
            "lie below it."
        )
    alt = f"KL of each {findings.kl_part}; {active} of {total} exceed {figures_fit.ACTIVE_NATS} nats."
    nats, part = findings.kl_per_dim, findings.kl_part
    return f"<p>{text}</p>" + responsive(lambda width: figures_fit.kl_per_dim(nats, part, width), alt)


def _extremes(findings: Findings) -> str:
    text = (
        "Held-out examples from the two ends of the ranking by log P(x), in nats. The least probable are where to "
        "look for errors and anomalies; the most probable are often the simplest, not the most typical."
    )
    ends = (
        ("Least probable", findings.least_likely, findings.least_likely_log_px, findings.least_likely_excess),
        ("Most probable", findings.most_likely, findings.most_likely_log_px, None),
    )
    shown, order = "", examples.costliest_first(findings.least_likely, findings.least_likely_excess)
    for name, rows, log_px, excess in ends:
        if not given(rows) or rows is None:
            continue
        code = findings.least_likely_code
        if _pictured(rows):
            written = examples.captioned(np.asarray(rows), log_px, f"{name} picture")
        elif excess is not None and code is not None and log_px is not None:
            written = f"<p>{examples.MARKED}</p>{examples.marked_frame(rows, log_px, excess, code)}"
        else:
            written = examples.frame(rows[order] if order else rows, log_px)
        shown += f"<h3>{name}</h3>{written}"
    return f"<p>{text}</p>{shown}" if shown else ""


def _pictured(rows: np.ndarray | pd.DataFrame) -> bool:
    """Arrays of the page are pictures; rows of numbers come as frames."""
    return not isinstance(rows, pd.DataFrame)


SECTIONS = (
    Section("known", "What to know about this fit", trust.known),
    Section("evidence", "How probable are the data?", evidence),
    Section("baselines", "Beside baselines", trust.baselines),
    Section("samples", "Samples", _samples),
    Section("nearest", "Nearest training pictures", further.nearest),
    Section("reconstructions", "Reconstructions", _reconstructions),
    Section("interpolation", "From one picture to another", further.interpolation),
    Section("groups", "What each group of z adds", further.groups),
    Section("columns", "Column by column", tables.columns),
    Section("pairs", "Pair by pair", tables.pairs),
    Section("explained", "What z tells of each column", tables.explained),
    Section("calibration", "Is P(x|z) calibrated?", trust.calibration),
    Section("latent-map", "A map of the latent space", _latent_map),
    Section("codes", "Where the data lie in the latent space", _codes),
    Section("prior", "From the prior to the data", _prior_walk),
    Section("dimensions", "How much of z is used", _dimensions),
    Section("extremes", "The least and the most probable", _extremes),
    Section("fit", "How the fit went", _fit),
)
