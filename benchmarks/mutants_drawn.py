"""Mutants of a source file: each changes one operator, comparison, number, statement or function of it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
PAIRS = "min max, sum mean, all any, floor ceil, zeros ones, clamp_min clamp_max, minimum maximum, amin amax"
NAMES = {one: other for pair in PAIRS.split(", ") for one, other in (pair.split(), pair.split()[::-1])}
AXES = {"dim", "axis"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file; its name holds no line number, so that it stays while lines move."""

    name: str
    file: str
    function: str  # or class, or nothing
    called: bool  # whether it lies in a function's body
    line: int
    lines: tuple[int, int]
    source: str


def mutants(file: str, source: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines."""
    found: list[Mutant] = []
    named: Counter[str] = Counter()
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    written = source.encode()
    tree = ast.parse(source)
    functions = {name for name, node in _defined(tree, "") if isinstance(node, ast.FunctionDef)}
    for node, other, scope, lines in _changes(tree, "", (1, 1)):
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        before, after = ast.unparse(node), ast.unparse(other)
        padded = after + "\n" * (node.end_lineno - node.lineno)
        text = padded if isinstance(node, ast.stmt) else f"({padded})"
        name = f"{file} {scope or 'module'}: {before} -> {after}"
        named[name] += 1
        name += f" ({named[name]})" if named[name] > 1 else ""
        called = bool(scope) and scope.split(".<locals>")[0] in functions
        changed = (written[:first] + text.encode() + written[last:]).decode()
        found.append(Mutant(name, file, scope, called, node.lineno, lines, changed))
    return found


def _changes(node: ast.AST, scope: str, lines: tuple[int, int]) -> Iterator[tuple[Any, ast.AST, str, tuple[int, int]]]:
    """Node, what it becomes, the qualified name of the function that holds it, and the lines of its statement."""
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        lines = (node.lineno, body[0].lineno - 1 if body else node.end_lineno or node.lineno)
        lines = (lines[0], max(lines))
    inner = scope
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        inner = f"{scope}.{node.name}" if scope else node.name
    for changed, other in _others(node):
        if isinstance(other, ast.Return):
            yield changed, other, inner, (changed.lineno, changed.end_lineno)
        else:
            yield changed, other, scope, lines
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _left(node, name, child):
                within = isinstance(node, ast.FunctionDef | ast.ClassDef) and name == "body"
                function = f"{inner}.<locals>" if within and _nested(node, child) else inner
                yield from _changes(child, function if within else scope, lines)


def _defined(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    """Qualified name and node of what is defined in modules and classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield f"{scope}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _defined(child, f"{scope}{child.name}.")


def _nested(node: ast.AST, child: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and isinstance(child, ast.FunctionDef | ast.ClassDef)


def _left(node: ast.AST, field: str, child: ast.AST) -> bool:
    """Whether no test is owed: annotations, decorators, the words of errors, names that are exported."""
    if field in {"annotation", "returns", "decorator_list", "bases"} or isinstance(child, ast.JoinedStr):
        return True
    if isinstance(node, ast.Raise) and field in {"exc", "cause"}:
        return True
    if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
        return True
    if isinstance(child, ast.Assign):
        told = ast.unparse(child.targets[0])
        return told == "__all__" or ast.unparse(child.value).startswith("Literal[")
    return False


def _others(node: ast.AST) -> Iterator[tuple[Any, ast.AST]]:
    """What is replaced at a node, and by what."""
    match node:
        case ast.BinOp(op=op) if type(op) in BINARY and not _text(node):
            yield node, _with(node, op=BINARY[type(op)]())
        case ast.Compare(ops=ops):
            for at, compared in enumerate(ops):
                yield node, _with(node, ops=[*ops[:at], COMPARED[type(compared)](), *ops[at + 1 :]])
        case ast.BoolOp(op=op):
            yield node, _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub(), operand=operand):
            yield node, operand
        case ast.Constant(value=bool(value)):
            yield node, ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield node, ast.Constant(value + 1)
        case ast.keyword(arg=name, value=value) if name in AXES and ast.unparse(value) in {"0", "-1"}:
            yield value, ast.Constant(-1 if ast.unparse(value) == "0" else 0)
        case ast.FunctionDef(returns=ast.BinOp() as told) if "None" in ast.unparse(told):
            returned = [part for part in ast.walk(node) if isinstance(part, ast.Return) and part.value is not None]
            yield from (
                (part, ast.Return(ast.Constant(None))) for part in returned if ast.unparse(part) != "return None"
            )
        case ast.Call(func=ast.Name() | ast.Attribute() as func):
            name = "id" if isinstance(func, ast.Name) else "attr"
            if getattr(func, name) in NAMES:
                yield node, _with(node, func=_with(func, **{name: NAMES[getattr(func, name)]}))
        case ast.AugAssign() | ast.Raise() | ast.Expr(value=ast.Call()):
            yield node, ast.Pass()


def _text(node: ast.BinOp) -> bool:
    """Whether words are put together."""
    return any(
        isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _with(node: ast.AST, **changed: Any) -> ast.AST:
    other = deepcopy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return other
