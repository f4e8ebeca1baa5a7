"""The figures of the derivation. Their words are formulas, so that one drawing serves every language."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

import computed
import likely
from likely.report.figures_latent import polar_colours
from likely.report.theme import CLASSES, DATA, EXTRA, MODEL, MUTED, RULE, bare, svg, themed

SIDE = 2.1  # inches of a square panel
COLOURS = {
    "--ink": ("#1b2430", "#e6ebf0"),
    "--muted": ("#5c6b7b", "#9aa8b6"),
    "--rule": ("#d8dfe6", "#34404c"),
    "--data": ("#4c6e91", "#8fb3d9"),
    "--model": ("#d9622b", "#f08a55"),
    "--extra": ("#1f8a7d", "#45bfae"),
    "--paper": ("#ffffff", "#14191f"),
}
LOOK = "".join(f"{name}: light-dark({light}, {dark}); " for name, (light, dark) in COLOURS.items())
LOOK += "background: var(--paper); color: var(--ink); "


class Panels:
    """Drawings side by side, as many in a line as there is room for."""

    def __init__(self, panels: Iterable[tuple[str, Figure]]) -> None:
        self.panels = list(panels)

    def _repr_html_(self) -> str:
        each = "".join(f'<div style="{_width(figure)}">{svg(figure, alt)}</div>' for alt, figure in self.panels)
        style = f"{LOOK}display: flex; flex-wrap: wrap; gap: 0.6rem; margin: 0.6rem 0; padding: 0.4rem"
        return f'<div class="drawn" style="{style}">{each}</div>'

    def __repr__(self) -> str:
        return "; ".join(alt for alt, _ in self.panels)


def _width(figure: Figure) -> str:
    """As it was drawn, or down to two thirds of that before a line is broken."""
    pixels = 100 * figure.get_figwidth()
    return f"flex: 1 1 {0.67 * pixels:.0f}px; max-width: {pixels:.0f}px; min-width: 0"


class Table:
    """A table of numbers; its first column is what they are of."""

    def __init__(self, head: Sequence[str], lines: Iterable[Sequence[str | float]], digits: int = 3) -> None:
        self.head = list(head)
        self.lines = [[cell if isinstance(cell, str) else written(cell, digits) for cell in line] for line in lines]

    def _repr_html_(self) -> str:
        def row(cells: list[str], tag: str) -> str:
            first, *rest = cells
            right = "".join(f'<{tag} style="text-align: right">{cell}</{tag}>' for cell in rest)
            return f'<tr><{tag} style="text-align: left">{first}</{tag}>{right}</tr>'

        body = "".join(row(line, "td") for line in self.lines)
        return f'<div style="overflow-x: auto"><table>{row(self.head, "th")}{body}</table></div>'

    def __repr__(self) -> str:
        return "\n".join("  ".join(f"{cell:>14}" for cell in line) for line in [self.head, *self.lines])


def written(number: float, digits: int) -> str:
    """A number with as many digits after the point, and a minus sign that is one."""
    return f"{number:.{digits}f}".replace("-", "−")


def source(*functions: Any) -> Markdown:
    """The code of functions, as it runs."""
    code = "\n".join(inspect.cleandoc("\n" + inspect.getsource(function)) + "\n" for function in functions)
    return Markdown(f"```python\n{code}```")


def _figure(width: float = SIDE, height: float = SIDE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _shaded(density: np.ndarray, colour: str) -> np.ndarray:
    """A picture of one colour, the more opaque the larger a number is."""
    return np.concatenate(
        [np.broadcast_to(to_rgb(colour), (*density.shape, 3)), (density / density.max())[..., None]], -1
    )


@themed
def _map(title: str, density: np.ndarray, reach: float, colour: str) -> tuple[str, Figure]:
    figure, axes = _figure()
    axes.imshow(_shaded(density, colour), extent=(-reach, reach, -reach, reach), origin="lower", interpolation="none")
    axes.set(title=title, xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes.grid(visible=False)
    return title, figure


def _plane(reach: float, count: int) -> torch.Tensor:
    ticks = torch.linspace(-reach, reach, count)
    down, across = torch.meshgrid(ticks, ticks, indexing="ij")
    return torch.stack([across, down], -1).reshape(-1, 2)


def densities() -> Panels:
    """The ring's true P(x), the best normal law, and the model's P(x)."""
    reach, count = 1.7, 90
    x = _plane(reach, count)
    fitted = computed.ring(4000, 0)
    normal = torch.distributions.MultivariateNormal(
        torch.from_numpy(fitted.mean(0)), torch.from_numpy(np.cov(fitted.T))
    )
    laws = [
        ("P*(x)", computed.ring_log_p(x.numpy()), DATA),
        ("N(x; μ, Σ)", normal.log_prob(x.double()).numpy(), MUTED),
        ("Pθ(x)", computed.sum_over(computed.ring_run().model, x, 4096).numpy(), MODEL),
    ]
    return Panels(_map(name, np.exp(found).reshape(count, count), reach, colour) for name, found, colour in laws)


def sums() -> Panels:
    """(1/N) Σ P(x|z_n) over more and more points z_n."""
    reach, count = 1.7, 90
    x, model = _plane(reach, count), computed.ring_run().model
    return Panels(
        _map(f"N = {n:,}", computed.sum_over(model, x, n).exp().numpy().reshape(count, count), reach, MODEL)
        for n in (8, 64, 512, 4096)
    )


@themed
def _picture(title: str, pixels: np.ndarray) -> tuple[str, Figure]:
    figure, axes = _figure(1.5, 1.7)
    axes.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0, vmax=max(1, pixels.max()), interpolation="none")
    bare(axes)
    axes.spines[:].set(visible=True, color=RULE)
    axes.set_title(title)
    return title, figure


@torch.no_grad()
def pixels() -> Panels:
    """A digit, the probabilities that the decoder gives its pixels, and what it costs each of them."""
    run, row = computed.digits_run(), computed.typical_row()
    x = computed.unseen_rows(run).values[row]
    p_x_z = run.model.likelihood(computed.digits_identity().q.loc[row])
    cost = -p_x_z.log_prob(x).numpy()
    return Panels([_picture("x", x.numpy()), _picture("P(x = 1|z)", p_x_z.mean.numpy()), _picture("−log P(x|z)", cost)])


@themed
def layers() -> Panels:
    """Draws of z, and the same draws after each layer of the decoder."""
    found = computed.layers()
    colours, panels = polar_colours(found[0]), []
    for place, points in enumerate(found):
        title = "z" if place == 0 else "x" if place == len(found) - 1 else "h" + "₀₁₂₃₄₅₆₇₈₉"[place]
        figure, axes = _figure(1.68, 1.88)
        axes.scatter(*points.T, c=colours, s=3, linewidths=0, rasterized=True)
        bare(axes)
        axes.set_title(title)
        axes.set_box_aspect(1)
        if title == "x":
            axes.set_aspect("equal")
        panels.append((title, figure))
    return Panels(panels)


@themed
def monte_carlo() -> Panels:
    """The error of log P̂(x) against the dimension of z, for each kind of points."""
    names = {"prior": "z ~ P(z)", "quasi": "Sobol, P(z)", "posterior": "z ~ Q(z|x)"}
    looks = zip(("o", "s", "D"), (DATA, EXTRA, MODEL), strict=True)
    marked, panels = dict(zip(names, looks, strict=True)), []
    for count, by in computed.monte_carlo().items():
        figure, axes = _figure(4.2, 3.0)
        for kind, name in names.items():
            marker, colour = marked[kind]
            errors = [max(1e-4, errors[kind]) for errors in by.values()]
            axes.plot(list(by), errors, color=colour, marker=marker, ms=4, lw=1.4, label=name)
        axes.set_yscale("log")
        axes.set(title=f"N = {count:,}", xlabel="dim z", ylabel="|log P̂(x) − log P(x)|", ylim=(8e-5, 120))
        axes.set_yticks((1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100), ("0.0001", "0.001", "0.01", "0.1", "1", "10", "100"))
        axes.minorticks_off()
        axes.legend(loc="lower right", fontsize=8)
        panels.append((f"N = {count}", figure))
    return Panels(panels)


@themed
def codes() -> Panels:
    """Means of Q(z|x) of all test rows, coloured by digit; and what the decoder makes of each z."""
    from sklearn.datasets import load_digits

    run, q = computed.digits_run(), computed.digits_identity().q
    labels = load_digits().target[np.sort(run.division.test)]
    figure, axes = _figure(4.2, 4.0)
    for digit in range(10):
        axes.scatter(*q.loc[labels == digit].T, s=14, linewidths=0, color=CLASSES[digit], label=str(digit))
    for radius in (1, 2, 3):
        axes.add_patch(Ellipse((0, 0), 2 * radius, 2 * radius, fill=False, edgecolor=MUTED, lw=0.6))
    for row in range(0, len(labels), 12):
        _ellipse(axes, q, row, 2, CLASSES[labels[row]])
    axes.set(aspect="equal", xlim=(-3.3, 3.3), ylim=(-3.3, 3.3), xlabel="z₁", ylabel="z₂", title="Q(z|x)")
    axes.legend(ncols=10, fontsize=7, loc="upper center", handletextpad=0, columnspacing=0.6, borderpad=0)
    return Panels([("Q(z|x)", figure), _decoded(run)])


@torch.no_grad()
def _decoded(run: likely.Run) -> tuple[str, Figure]:
    side = 15
    means = run.model.likelihood(_plane(2.7, side)).mean.reshape(side, side, 8, 8).numpy()
    tiled = np.concatenate([np.concatenate(list(line), 1) for line in means[::-1]], 0)
    figure, axes = _figure(4.2, 4.0)
    axes.imshow(tiled, cmap="gray_r", vmin=0, vmax=1, extent=(-2.9, 2.9, -2.9, 2.9), interpolation="none")
    axes.set(title="P(x = 1|z)", xlabel="z₁", ylabel="z₂")
    axes.grid(visible=False)
    return "P(x = 1|z)", figure


def _ellipse(axes: Axes, q: Any, row: int, deviations: float, colour: str, **style: Any) -> None:
    width, height = 2 * deviations * q.log_std[row].exp()
    axes.add_patch(Ellipse(q.loc[row], width, height, fill=False, edgecolor=colour, **{"lw": 1.0, **style}))


@themed
def weights() -> Panels:
    """The distribution of log P(x, z)/Q(z|x) under Q, with its mean and the logarithm of the mean."""
    found, rows = computed.digits_identity(), (computed.typical_row(), computed.bad_row())
    panels = []
    for name, row in zip("ab", rows, strict=True):
        values = computed.log_weights(row).numpy()
        figure, axes = _figure(4.2, 2.7)
        low, high = np.quantile(values, 0.002), values.max()
        axes.hist(values.clip(low), bins=80, range=(low, high), density=True, color=DATA, alpha=0.45)
        for value, colour, label in (
            (found.elbo[row], MODEL, "E_Q[log w] = ELBO"),
            (found.log_px[row], EXTRA, "log E_Q[w] = log P(x)"),
        ):
            axes.axvline(float(value), color=colour, lw=1.6, label=label)
        axes.set(title=f"({name})", xlabel="log w,  w = P(x, z)/Q(z|x)", yticks=())
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        panels.append((f"log w ({name})", figure))
    return Panels(panels)


@themed
def bells() -> Panels:
    """Q and P of one number of z; and Q log (Q/P), whose integral is the KL."""
    found = computed.bells(computed.typical_row())
    near = np.abs(found.z) <= 3.5
    z, q, p = found.z[near][::100], found.q[near][::100], found.p[near][::100]
    first, axes = _figure(4.2, 2.7)
    for law, colour, name in (
        (q, MODEL, f"Q(z|x) = N({written(found.mean, 2)}, {written(found.std, 2)}²)"),
        (p, DATA, "P(z) = N(0, 1)"),
    ):
        axes.plot(z, law, color=colour, lw=1.6, label=name)
        axes.fill_between(z, law, color=colour, alpha=0.15, lw=0)
    axes.set(title="Q, P", xlabel="z")
    axes.legend(fontsize=8)
    second, axes = _figure(4.2, 2.7)
    integrand = q * np.log(np.maximum(q, 1e-300) / p)
    axes.plot(z, integrand, color=EXTRA, lw=1.6)
    axes.fill_between(z, integrand, color=EXTRA, alpha=0.3, lw=0)
    axes.axhline(0, color=MUTED, lw=0.8)
    axes.set(title=f"∫ Q log (Q/P) dz = {written(found.by_integral, 4)}", xlabel="z")
    return Panels([("Q, P", first), ("Q log (Q/P)", second)])


@themed
def reconstruction() -> Panels:
    """The error of the mean over N draws against N, beside 1/√N."""
    errors = computed.reconstruction_errors(computed.typical_row())
    figure, axes = _figure(4.2, 2.7)
    axes.plot(list(errors), [errors[1] / math.sqrt(n) for n in errors], color=MUTED, lw=1, ls="--", label="s / √N")
    axes.plot(
        list(errors), list(errors.values()), color=MODEL, marker="o", ms=5, lw=0, label="σ of (1/N) Σ log P(x|z_n)"
    )
    axes.set(xscale="log", yscale="log", xlabel="N")
    axes.set_xticks(list(errors), [str(n) for n in errors])
    axes.set_yticks((0.05, 0.1, 0.2, 0.5, 1), ("0.05", "0.1", "0.2", "0.5", "1"))
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return Panels([("(1/N) Σ log P(x|z_n)", figure)])


@themed
def posteriors() -> Panels:
    """P(z|x) as it is, and Q(z|x) over it, for two rows."""
    found, panels = computed.digits_identity(), []
    x = computed.unseen_rows(computed.digits_run()).values
    count = round(math.sqrt(len(computed.grid())))
    for name, row in zip("ab", (computed.typical_row(), computed.bad_row()), strict=True):
        density = found.posterior[:, row].reshape(count, count).T.numpy()
        figure, axes = _figure(2.9, 3.0)
        ticks = np.linspace(-computed.REACH, computed.REACH, count)
        levels = density.max() * np.array([0.01, 0.05, *np.linspace(0.1, 1, 10)])
        shades = [(*to_rgb(EXTRA), opacity) for opacity in np.linspace(0.08, 0.9, len(levels) - 1)]
        axes.contourf(ticks, ticks, density, levels=levels, colors=shades)
        for deviations in (1, 2):
            _ellipse(axes, found.q, row, deviations, MODEL, lw=1.4)
        places = torch.cat([computed.grid()[found.posterior[:, row] > density.max() / 100], found.q.loc[row : row + 1]])
        low, high = places.amin(0).numpy(), places.amax(0).numpy()
        centre, half = (low + high) / 2, 0.6 * (high - low).max()
        axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
        axes.set(title=f"({name})", xlabel="z₁", ylabel="z₂", aspect="equal")
        axes.plot([], [], color=MODEL, label="Q(z|x): 1σ, 2σ")
        axes.scatter([], [], color=EXTRA, marker="s", label="P(z|x)")
        axes.legend(fontsize=8, loc="upper left")
        panels += [_picture(f"({name})", x[row].numpy()), (f"P(z|x), Q(z|x) ({name})", figure)]
    return Panels(panels)


@themed
def bounds() -> Panels:
    """L_K against K, between the ELBO and log P(x), for two rows."""
    found, panels = computed.digits_identity(), []
    for name, row in zip("ab", (computed.typical_row(), computed.bad_row()), strict=True):
        by = computed.bounds(row)
        figure, axes = _figure(4.2, 2.7)
        axes.axhline(float(found.log_px[row]), color=EXTRA, lw=1.4, label="log P(x)")
        axes.axhline(float(found.elbo[row]), color=MODEL, lw=1.4, label="ELBO")
        axes.plot(list(by), list(by.values()), color=DATA, marker="o", ms=4, lw=1.4, label="L_K")
        axes.set(title=f"({name})", xscale="log", xlabel="K")
        axes.set_xticks(list(by), [str(k) for k in by])
        axes.minorticks_off()
        axes.legend(fontsize=8, loc="center right")
        panels.append((f"L_K ({name})", figure))
    return Panels(panels)


@themed
def betas() -> Panels:
    """The two terms of the ELBO against each other, and the ELBO and log P(x), for each β."""
    found = computed.betas()
    first, axes = _figure(4.2, 2.9)
    points = [(float(terms.kl.mean()), float(terms.reconstruction.mean())) for terms in found.values()]
    axes.plot(*zip(*points, strict=True), color=MODEL, marker="o", ms=5, lw=1.2)
    for beta, point in zip(found, points, strict=True):
        if beta <= 4:
            axes.annotate(f"β = {beta:g}", point, (7, -8), textcoords="offset points", fontsize=8)
    collapsed = ", ".join(f"{beta:g}" for beta in found if beta > 4)
    axes.annotate(f"β = {collapsed}", points[-1], (8, -12), textcoords="offset points", fontsize=8)
    axes.margins(y=0.12)
    axes.set(xlabel="D[Q(z|x)‖P(z)]", ylabel="E_Q[log P(x|z)]", xlim=(-0.3, 6))
    second, axes = _figure(4.2, 2.9)
    for term, colour, name in (("log_px", EXTRA, "log P(x)"), ("elbo", MODEL, "ELBO")):
        axes.plot(
            list(found),
            [float(getattr(terms, term).mean()) for terms in found.values()],
            color=colour,
            marker="o",
            ms=4,
            lw=1.4,
            label=name,
        )
    axes.set(xscale="log", xlabel="β")
    axes.set_xticks(list(found), [f"{beta:g}" for beta in found])
    axes.minorticks_off()
    axes.legend(fontsize=8)
    return Panels([("D[Q(z|x)‖P(z)], E_Q[log P(x|z)]", first), ("β, ELBO, log P(x)", second)])
