"""The sections that only pictures have: between two of them, group by group of z, beside the training pictures."""

from __future__ import annotations

import math

import numpy as np

from likely.report import examples
from likely.report.evidence import conditional
from likely.report.examples import given
from likely.report.findings import Findings, Nearest

__all__ = ["groups", "interpolation", "nearest"]

SHOWN = 14  # samples beside their nearest training pictures
SURE = 3.0  # standard errors from which a difference is told


def interpolation(findings: Findings) -> str:
    """The ways between pairs of pictures."""
    lines = findings.interpolated
    if not given(lines) or lines is None:
        return ""
    text = (
        "Each line leads from one held-out picture <i>x</i> to another, at the outer ends. In between, the mean of "
        "P(x|z) as z goes from the code of the one to the code of the other in equal steps; at 0 % and 100 % stand "
        "their reconstructions. Good codes pass through pictures that could be data, not through two at once."
    )
    if findings.given:
        text += f" {conditional(findings)} Both ends of a line have the same y."
    last = lines.shape[1] - 3
    captions = ["<i>x</i>", *(f"{100 * step / last:.0f} %" for step in range(last + 1)), "<i>x</i>"]
    return f"<p>{text}</p>{examples.columns(lines, captions, 'Between two pictures, column')}"


def groups(findings: Findings) -> str:
    """What each group of z adds to a picture."""
    lines, kept = findings.regrouped, findings.groups_kept
    if not given(lines) or lines is None:
        return ""
    text = (
        f"z has {kept[-1]} groups, the top one first. Under <i>x</i>, held-out pictures. Under a number, the mean of "
        "P(x|z) where so many upper groups keep a draw of Q(z|x) and the groups below are drawn again from "
        "P(z<sub>l</sub>|z<sub>&lt;l</sub>). Under 0 nothing is kept: a new picture. Under all, a reconstruction. What "
        "changes from one column to the next is what the groups between them add."
    )
    captions = ["<i>x</i>", *(str(number) for number in kept[:-1]), f"all {kept[-1]}"]
    return f"<p>{text}</p>{examples.columns(lines, captions, 'Groups of z kept, column')}"


def nearest(findings: Findings) -> str:
    """Whether samples are copies of training pictures."""
    found = findings.nearest
    if found is None:
        return ""
    order = np.argsort(found.samples, kind="stable")[:SHOWN]
    searched = (
        f"all {found.training:,} training pictures"
        if found.searched == found.training
        else f"{found.searched:,} of the {found.training:,} training pictures, drawn at random"
    )
    text = (
        f"{_compared(found)} The median distance to the nearest training picture is "
        f"<b>{np.median(found.samples):.2f}</b> for {len(found.samples)} samples and "
        f"<b>{np.median(found.held_out):.2f}</b> for {len(found.held_out)} held-out pictures (Euclidean, cells from 0 "
        f"to 1, among {searched})."
    )
    shown = (
        f"<b>Above</b>, the {len(order)} samples that lie nearest, the nearest first: copies would come first. "
        "<b>Below</b>, the training picture nearest to each, and the distance. The samples are draws, as pictures are; "
        "a mean of P(x|z) is smoother than any picture, and so nearer to all of them."
    )
    alt = "A sample, and below it the training picture nearest to it."
    return f"<p>{text}</p><p>{shown}</p>{examples.pairs(found.pairs[order], found.samples[order], alt)}"


def _compared(found: Nearest) -> str:
    """Whether samples lie nearer than held-out pictures, farther or as far, by the ranks of their distances."""
    samples, held_out = found.samples[:, None], found.held_out[None]
    share = float((samples < held_out).mean() + (samples == held_out).mean() / 2)
    error = math.sqrt((len(found.samples) + len(found.held_out) + 1) / (12 * samples.size * held_out.size))
    if share - 0.5 > SURE * error:
        return (
            "<b>Samples lie nearer to training pictures than held-out pictures do.</b> They repeat some of them, or "
            "are plainer than the data: the pictures below tell which."
        )
    if 0.5 - share > SURE * error:
        return (
            "<b>Samples are no copies as a rule.</b> They lie farther from training pictures than held-out pictures "
            "do: they are noisier than the data, or unlike them."
        )
    return "<b>Samples are no copies as a rule.</b> They lie as far from training pictures as held-out pictures do."
