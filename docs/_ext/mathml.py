"""Formulae as MathML, which browsers draw without a script or a network."""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

# Browsers leave no space between the name of a function and what it is applied to.
APPLIED, SPACE = re.compile("<mo>&ApplyFunction;</mo>(?!<mo)"), "<mo>&ApplyFunction;</mo><mspace width='0.17em'/>"
LOGGER = logging.getLogger(__name__)


def converted(node: nodes.Element, *, block: bool) -> str:
    """The formula as MathML; one that cannot be written so is a warning, and stands as it was typed."""
    try:
        return APPLIED.sub(SPACE, tex2mathml(node.astext(), as_block=block))
    except MathError as error:
        LOGGER.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{nodes.Text(node.astext())}</code>"


def inline(translator: Any, node: nodes.Element) -> None:
    """A formula within a line."""
    translator.body.append(converted(node, block=False))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.Element) -> None:
    """A formula on lines of its own, with its number where it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math-block"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append(converted(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
