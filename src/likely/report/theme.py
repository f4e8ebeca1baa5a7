"""The look of every figure, and its way into the page: SVG whose colours follow the reader's light or dark mode."""

from __future__ import annotations

import base64
import functools
import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

__all__ = [
    "CLASSES",
    "DATA",
    "EXTRA",
    "INK",
    "MODEL",
    "MUTED",
    "NARROW",
    "RULE",
    "SPOKEN",
    "WIDTH",
    "bare",
    "framed",
    "picture",
    "svg",
    "themed",
]

P = ParamSpec("P")
R = TypeVar("R")

INK, MUTED, RULE = "#1b2430", "#5c6b7b", "#d8dfe6"
DATA, MODEL, EXTRA = "#4c6e91", "#d9622b", "#1f8a7d"
SPOKEN = "#b0461a"  # the model's colour, of words, which need more contrast than bars
CLASSES = (
    *("#4c7fb8", "#e0812f", "#3f9a57", "#cf4f55", "#8b6bc0"),
    *("#94694f", "#d573b4", "#848b93", "#b3aa2e", "#2fa7b8"),
)
WIDTH, NARROW = 9.6, 3.5  # inches of a figure as wide as the page, and as a telephone
_PANEL = (2.1, 1.3)  # inches of one of many small figures
_PIXELS_PER_INCH = 100  # of the page, at which 960 pixels are that width
_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", DATA: "data", MODEL: "model", EXTRA: "extra", SPOKEN: "spoken"}
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "figure.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "likely",
}


@contextmanager
def _theme() -> Iterator[None]:
    """Text is set by the reader's browser, so a glyph that matplotlib's own font lacks is no fault."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def themed(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw a figure in the report's style, whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with _theme():
            return draw(*args, **kwargs)

    return wrapped


def bare(axes: Axes) -> None:
    """Leave only what is drawn: no ticks, grid or frame."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def framed(
    width: float = _PANEL[0], height: float = _PANEL[1], *, left: float = 0.07, bottom: float = 0.22
) -> tuple[Figure, Axes]:
    """Make a figure with one set of axes, and the inches beside and below it that its labels need."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    right, top = 0.12, 0.05
    place = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    return figure, figure.add_axes(place)


def svg(figure: Figure, alt: str) -> str:
    """Return the figure as an inline SVG element with ``alt`` read out in its place."""
    buffer = io.StringIO()
    with _theme():
        figure.savefig(buffer, format="svg", transparent=True, dpi=170)
    markup = buffer.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", markup, flags=re.DOTALL)
    markup = (
        re.sub(r'\s(?:xmlns(?::\w+)?|version|width|height)="[^"]*"', "", markup[: markup.index(">")])
        + (markup[markup.index(">") :])
    )
    markup = markup.replace("xlink:href", "href").replace("'DejaVu Sans'", "system-ui, sans-serif")
    for colour, name in _VARIABLES.items():
        markup = markup.replace(colour, f"var(--{name})")
    width = figure.get_figwidth() * _PIXELS_PER_INCH
    opening = f'<svg role="img" aria-label="{escape(alt)}" style="max-width: {width:.0f}px"'
    return _own_ids(markup, alt).replace("<svg", opening, 1).strip()


def _own_ids(markup: str, alt: str) -> str:
    """Prefix ids, which are shared by a whole HTML page, with something of this figure's own; without unused ones."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', markup))
    markup = re.sub(r'\s+id="([^"]*)"', lambda found: found[0] if found[1] in used else "", markup)
    prefix = f"f{zlib.crc32((markup + alt).encode()):08x}-"
    return re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{prefix}", markup)


def picture(image: Image.Image, alt: str) -> str:
    """Return a picture as an ``img`` element that carries its own data."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(alt)}" width="{image.width}" height="{image.height}" src="data:image/png;base64,{data}">'
