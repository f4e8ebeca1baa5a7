"""Make the pages that `likely learn` opens, from the derivation's notebooks.

    python docs/learn/make_pages.py            # run the cells, renew the numbers in the texts, write both pages
    python docs/learn/make_pages.py --words    # only the words changed: keep what the cells gave

The cells of both languages are the same, so they are run once. A number in a text is followed by its name in a comment,
`−0.59<!-- ring truth -->`; `numbers.json` has them all. Formulas become MathML, so that a page needs nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import jupytext
from docutils.utils.math.latex2mathml import tex2mathml
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

HERE = Path(__file__).parent
LANGUAGES = {"en": ("English", "code"), "zh": ("中文", "代码")}
PAGES = HERE.parents[1] / "src" / "likely" / "cli" / "pages"
NUMBER = re.compile(r"(−?[\d,]+(?:\.(\d+))?)(%?)<!-- ([^>]+?) -->")
OUTPUT = re.compile(r"<!--output-->.*?<!--/output-->", re.DOTALL)
WHOLE = re.compile(
    "(<math [^>]*>(?:(?!</math>).)*</math>[，。；：、）？.,:;)]+)"
)  # a sign is not parted from its formula
SPACING = {
    r">\s+<": "><",
    "<mo>&ApplyFunction;</mo>(?!<mo)": "<mo>&ApplyFunction;</mo><mspace width='0.17em'/>",  # browsers leave none
    "(</mi>|</mn>|∇</m[oi]>)<mi>log": r"\1<mspace width='0.17em'/><mi>log",
}
HARVEST = "import json\nprint(json.dumps(computed.numbers()))"


def text(language: str) -> Path:
    """The notebook of a language."""
    return HERE / f"derivation.{language}.md"


def page_of(language: str) -> Path:
    """Where the page of a language is written."""
    return PAGES / f"derivation.{language}.html"


def renewed(words: str, numbers: dict[str, float]) -> str:
    """A text with its named numbers set to what was computed, to the digits after the point that it gives."""

    def written(found: re.Match[str]) -> str:
        value = f"{numbers[found[4]]:,.{len(found[2] or '')}f}".replace("-", "−")
        return f"{value}{found[3]}<!-- {found[4]} -->"

    return NUMBER.sub(written, words)


def executed() -> tuple[list[str], dict[str, float]]:
    """What each cell gives, as HTML, and the numbers."""
    from nbclient import NotebookClient

    notebook = jupytext.read(text("en"), fmt="md:myst")
    notebook.cells.append(jupytext.reads(f"```{{code-cell}}\n{HARVEST}\n```", fmt="md:myst").cells[-1])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(HERE)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    numbers = json.loads(cells.pop().outputs[0]["text"])
    return ["".join(_output(output) for output in cell.outputs) for cell in cells], numbers


def _output(output: dict[str, Any]) -> str:
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        return str(data["text/html"])
    if "text/markdown" in data:
        return str(markdown().render(data["text/markdown"]))
    return f'<pre class="said">{escape(data["text/plain"])}</pre>'


def markdown() -> MarkdownIt:
    """The reader of the texts: CommonMark, tables, and formulas between dollars."""
    reader = MarkdownIt("commonmark", {"highlight": _highlighted}).enable("table").use(dollarmath_plugin)
    for kind in ("math_inline", "math_block"):
        reader.add_render_rule(kind, _formula)
    reader.add_render_rule("link_open", _link_open)
    reader.add_render_rule("link_close", _link_close)
    reader.add_render_rule("table_open", lambda *_: '<div class="wide"><table>')
    reader.add_render_rule("table_close", lambda *_: "</table></div>")
    return reader


def _highlighted(code: str, *_: Any) -> str:
    return f'<pre class="code">{highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))}</pre>'


def _formula(_: Any, tokens: Any, place: int, *__: Any) -> str:
    block = tokens[place].type == "math_block"
    made = mathml(tokens[place].content, block=block)
    return f'<div class="formula">{made}</div>' if block else made


def mathml(formula: str, *, block: bool = False) -> str:
    """A formula of TeX as MathML, which names its TeX."""
    made = str(tex2mathml(formula, as_block=block))
    for found, meant in SPACING.items():
        made = re.sub(found, meant, made)
    named = f'<math lang="en" alttext="{escape(formula.strip())}"'  # letters of the same fonts in every language
    return made.replace("<math", named, 1)


def _link_open(renderer: Any, tokens: Any, place: int, options: Any, environment: Any) -> str:
    """A link; where it leads to a file of the docs, which are not beside the page, the file is named after it."""
    token = tokens[place]
    target = str(token.attrs["href"])
    if target.startswith("http"):
        return str(renderer.renderToken(tokens, place, options, environment))
    environment["named"] = (HERE / target).resolve().relative_to(HERE.parents[1]).as_posix()
    return ""


def _link_close(*given: Any) -> str:
    named = given[-1].pop("named", None)
    return "</a>" if named is None else f" (<code>{named}</code>)"


def rendered(language: str, outputs: list[str]) -> str:
    """The page of a language around what its cells gave."""
    notebook, reader = jupytext.read(text(language), fmt="md:myst"), markdown()
    left, parts = list(outputs), []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words = reader.render(re.sub(r"<!--.*?-->", "", cell.source))
            parts.append(WHOLE.sub(r'<span class="whole">\1</span>', words))
            continue
        code, tags = _highlighted(cell.source + "\n"), cell.metadata.get("tags", [])
        output = f'<div lang="en"><!--output-->{left.pop(0)}<!--/output--></div>'
        fold = f"<details><summary>{LANGUAGES[language][1]}</summary>"
        if "hide-cell" in tags:
            parts.append(f"{fold}{code}{output}</details>")
        else:
            parts.append((f"{fold}{code}</details>" if "hide-input" in tags else code) + output)
    body = "\n".join(parts)
    headings = re.findall(r"<h2>(.*?)</h2>", body)
    for number in range(1, len(headings) + 1):
        body = body.replace("<h2>", f'<h2 id="s{number}">', 1)
    contents = "".join(f'<a href="#s{number}">{heading}</a>' for number, heading in enumerate(headings, 1))
    title = re.sub("<.*?>", "", re.search(r"<h1>(.*?)</h1>", body)[1])  # type: ignore[index]
    body = body.replace("</h1>", f"</h1>\n<nav>{contents}</nav>", 1)
    style = (HERE / "page.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{_others(language)}\n{body}\n</main>\n</body>\n</html>\n"
    )


def _others(language: str) -> str:
    links = (
        f'<a href="derivation.{other}.html" lang="{other}">{name}</a>'
        for other, (name, _) in LANGUAGES.items()
        if other != language
    )
    return f'<p class="others">{" ".join(links)}</p>'


def kept(language: str) -> list[str]:
    """What the cells gave when the page was last made."""
    marks = len("<!--output-->"), -len("<!--/output-->")
    return [found[marks[0] : marks[1]] for found in OUTPUT.findall(page_of(language).read_text(encoding="utf-8"))]


def main() -> None:
    """Make both pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", action="store_true", help="keep what the cells gave")
    if parser.parse_args().words:
        outputs = kept("en")
    else:
        outputs, numbers = executed()
        (HERE / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
        for language in LANGUAGES:
            words = text(language).read_text(encoding="utf-8")
            text(language).write_text(renewed(words, numbers), encoding="utf-8")
    PAGES.mkdir(exist_ok=True)
    for language in LANGUAGES:
        page_of(language).write_text(rendered(language, outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
