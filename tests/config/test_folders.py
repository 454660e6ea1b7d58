"""Where files lie by default is said in one file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from medfl.config import folders

PACKAGE = Path(folders.__file__).parents[1]
WORDS = {value for name, value in vars(folders).items() if name.isupper()}


def values(node: ast.AST) -> Iterator[ast.expr | None]:
    """What a node of the code takes for a default, a path, or compares with."""
    if isinstance(node, ast.arguments):
        yield from [*node.defaults, *node.kw_defaults]
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Path", "Field", "read_grid"):
        yield from node.args
    elif isinstance(node, ast.keyword) and node.arg == "default":
        yield node.value
    elif isinstance(node, ast.Compare):
        yield from node.comparators
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.Assign):
        yield node.value
    elif isinstance(node, ast.AnnAssign) and "Stage" not in ast.unparse(node.annotation):
        yield node.value  # the update chain's first stage has the word for a name


def said(code: str) -> list[str]:
    found = [one for node in ast.walk(ast.parse(code)) for one in values(node)]
    return [one.value for one in found if isinstance(one, ast.Constant) and one.value in WORDS]


@pytest.mark.parametrize(
    "code",
    [
        "def f(root='data'): pass",
        "Path('data/splits')",
        "root = given or 'data'",
        "add('--grid', default='params/default.yaml')",
        "work_root == 'data'",
        "class C:\n    root: str = 'results'",
    ],
)
def test_a_folder_that_is_said_again_is_seen(code):
    assert len(said(code)) == 1


def test_no_folder_is_said_twice():
    again = {
        str(path.relative_to(PACKAGE)): found
        for path in PACKAGE.rglob("*.py")
        if path != Path(folders.__file__) and (found := said(path.read_text(encoding="utf-8")))
    }
    assert again == {}
