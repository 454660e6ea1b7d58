"""The mutants of one source: every small edit that would make it wrong."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
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
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
PAIRS = (
    ("val", "test"),
    ("validation", "test"),
    ("val", "train"),
    ("min", "max"),
    ("any", "all"),
    ("sum", "mean"),
    ("std", "mean"),
    ("ceil", "floor"),
    ("argmin", "argmax"),
    ("add_", "sub_"),
    ("mul_", "div_"),
)
"""Names of which one is easily written for the other, the field's own among them."""


def _twins(name: object) -> list[str]:
    """What is easily written where a name is meant."""
    return [pair[1 - pair.index(name)] for pair in PAIRS if name in pair]


# What is said to people and what type checkers read is left alone, as is the inside of f-strings,
# whose positions Python 3.11 does not know.
SPOKEN = {"print", "warn", "warning", "info", "debug", "error", "exception", "Field", "TypeVar"}
UNFELT = {"strict", "encoding", "flush", "help", "description", "title"}
"""Keywords that may be left out without another result, or that only say something."""
SKIPPED = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Global)


@dataclass(frozen=True)
class Mutant:
    """One edit: ``text`` in place of the characters from ``start`` to ``stop`` of a file.

    Attributes:
        file: the source, relative to the root of the project.
        line: where it begins, counted from 1.
        function: the dotted name of the function or class that holds it; empty in a module.
        before: the edited line, or lines, as they are, without the space around.
        after: the same as the mutant has them.
        key: a hash of what the mutant is, wherever in its file it stands.
        start: its first byte.
        stop: the byte after its last.
        text: what stands there instead.
    """

    file: str
    line: int
    function: str
    before: str
    after: str
    key: str
    start: int
    stop: int
    text: str

    @property
    def room(self) -> str:
        """The folder of the package that holds it."""
        return self.file.split("/")[1]

    def apply(self, source: bytes) -> bytes:
        """The source with the mutant in it."""
        return source[: self.start] + self.text.encode() + source[self.stop :]

    def compiles(self, source: bytes) -> bool:
        """Whether the source with the mutant in it is Python at all."""
        try:
            compile(self.apply(source), self.file, "exec", dont_inherit=True)
        except SyntaxError:
            return False
        return True


def mutants(file: str, source: bytes) -> list[Mutant]:
    """All mutants of a source, from its first line to its last."""
    lines = source.splitlines(keepends=True)
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line))
    found, seen = [], Counter[tuple[str, ...]]()
    for function, node, text in _visit(ast.parse(source), ""):
        start = begins[node.lineno - 1] + node.col_offset
        stop = begins[node.end_lineno - 1] + node.end_col_offset
        left, right = begins[node.lineno - 1], begins[node.end_lineno]
        before = source[left:right].decode().strip()
        after = (source[left:start] + text.encode() + source[stop:right]).decode().strip()
        what = (file, function, before, after)
        seen[what] += 1
        key = hashlib.sha256("\0".join([*what, str(seen[what])]).encode()).hexdigest()[:16]
        found.append(Mutant(file, node.lineno, function, before, after, key, start, stop, text))
    return found


def _visit(node: ast.AST, function: str) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """The function, the node and the text in its place, of each mutant below a node."""
    if isinstance(node, SKIPPED) or "TYPE_CHECKING" in ast.dump(getattr(node, "test", node))[:60]:
        return
    if isinstance(node, ast.Call) and _called(node) in SPOKEN:
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    if isinstance(node, ast.expr | ast.stmt):
        for other in _others(node):
            # Brackets keep the order in which operators bind.
            text = ast.unparse(other)
            yield function, node, f"({text})" if isinstance(other, BRACKETED) else text
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _visit(child, function)


BRACKETED = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp)


def _others(node: ast.expr | ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """What is put in place of one node, apart from what is put in place of its parts."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield _but(node, ops=[COMPARISONS[type(node.ops[0])]()])
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield _but(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield _but(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield _but(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(name) for name in _twins(node.value))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (_but(node, id=name) for name in _twins(node.id))
    elif isinstance(node, ast.Attribute):
        yield from (_but(node, attr=name) for name in _twins(node.attr))
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Slice) and (node.lower or node.upper):
        yield ast.Slice()
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield from () if _called(node.value) in SPOKEN else (ast.Pass(),)


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    """Two arguments in each other's place, a keyword left out, a list left unsorted."""
    if len(node.args) == 2 and not any(isinstance(arg, ast.Starred) for arg in node.args):
        yield _but(node, args=node.args[::-1])
    for keyword in node.keywords:
        if keyword.arg not in UNFELT:
            yield _but(node, keywords=[one for one in node.keywords if one is not keyword])
    if _called(node) == "sorted":
        yield ast.Call(ast.Name("list"), node.args, [])
    if _called(node) == "abs":
        yield node.args[0]


def _but(node: ast.AST, **changes: object) -> ast.expr:
    """A copy of a node with some parts changed."""
    other = copy.copy(node)
    for name, value in changes.items():
        setattr(other, name, value)
    return other  # type: ignore[return-value]


def _called(node: ast.Call) -> str:
    """The last word of the name that a call calls."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
