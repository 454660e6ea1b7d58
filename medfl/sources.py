"""Finds and hashes the sources that something depends on, so that an edit redoes what it touches.

They are found by following import statements (also those inside functions) through the package,
without importing it. Each room says itself which sources its results depend on:
``medfl/federated/code.py`` for runs, ``medfl/partition/code.py`` for splits,
``medfl/datasets/code.py`` for stores.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from medfl.files import sha256_file
from medfl.files.regular import read_bytes

PACKAGE = Path(__file__).resolve().parent

# These modules cannot change a number by themselves.
NO_RESULT = frozenset(
    f"medfl.{name}" for name in ("errors", "registry", "own_class", "sources", "gpu", "grid")
)

_TEXT = re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL)
_IMPORT = re.compile(
    r"^[ \t]*(?:from (medfl[\w.]*) import (?:\(([^)]*)\)|(.*))|import (medfl.*))$", re.MULTILINE
)
_COMMENT = re.compile("#.*")


@cache
def source_sha(*modules: str) -> str:
    """Hash of ``modules`` (all files of a package) and of all that they import in medfl."""
    folders = [folder for name in modules if (folder := _folder(name)).is_dir()]
    data = [path for folder in folders for path in sorted(folder.rglob("*.*"))]
    return sha(modules, [path for path in data if path.suffix not in (".py", ".pyc")])


def with_imports(modules: Iterable[str], skip: Collection[str] = NO_RESULT) -> list[str]:
    """The names of ``modules`` and of every medfl module that they import, directly or not."""
    waiting: list[str] = []
    for name in modules:
        files = sorted(_folder(name).rglob("[!_]*.py"))
        waiting += [_name(path) for path in files] or [name]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        inside = {name, ".".join(name.split(".")[:2])}  # a module is skipped with its package
        if name not in found and inside.isdisjoint(skip) and file_of(name).is_file():
            found.add(name)
            waiting += imported(file_of(name))
    return sorted(found)


def sha(
    modules: Iterable[str], files: Iterable[Path] = (), skip: frozenset[str] = NO_RESULT
) -> str:
    """Hash of ``modules``, of all they import in medfl, and of further ``files``."""
    return digest(hashes(modules, skip), files)


def hashes(modules: Iterable[str], skip: frozenset[str] = NO_RESULT) -> dict[str, str]:
    """Module → SHA-256 of its file, for ``modules`` and all that they import in medfl."""
    found: dict[str, str] = {}
    for module in modules:
        found |= _hashes(module, skip)
    return dict(sorted(found.items()))


@cache  # every run of a grid asks for the same packages
def _hashes(module: str, skip: frozenset[str]) -> dict[str, str]:
    return {name: sha256_file(file_of(name)) for name in with_imports([module], skip)}


def forget() -> None:
    """Read all files anew when they are asked for next, because they were edited meanwhile."""
    for cached in (source_sha, _hashes, imported, _import_statements):
        cached.cache_clear()


def digest(modules: Mapping[str, str], files: Iterable[Path] = ()) -> str:
    """One hash of modules with their hashes, and of the names and contents of further ``files``."""
    total = hashlib.sha256()
    for name, one in [*modules.items(), *((path.name, sha256_file(path)) for path in files)]:
        total.update(f"{name}\n{one}\n".encode())
    return total.hexdigest()


@cache  # many modules are reached from several roots
def imported(path: Path) -> list[str]:
    """The modules of medfl that a Python file imports, anywhere in it."""
    return [
        target
        for _, source, attribute in _import_statements(path)
        for target in _resolve(source, attribute)
    ]


def _folder(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])


def _name(path: Path) -> str:
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


def file_of(module: str) -> Path:
    """The file of a module or package of medfl."""
    path = _folder(module)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _import_statements(path: Path) -> list[tuple[str, str, str]]:
    """(bound name, module, attribute) of each medfl import in a file; attribute may be empty."""
    own = not path.is_relative_to(PACKAGE)
    found = parsed(path) if own else list(_scanned(path.read_text(encoding="utf-8")))
    return [entry for entry in found if entry[1].split(".")[0] == "medfl"]


def parsed(path: Path) -> list[tuple[str, str, str]]:
    """(bound name, module, attribute) of each absolute import in a file, however it is written."""
    found = []
    for node in statements(ast.parse(read_bytes(path)).body):
        if isinstance(node, ast.Import):
            found += [(alias.asname or alias.name, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(alias.asname or alias.name, node.module, alias.name) for alias in node.names]
    return found


def _scanned(text: str) -> Iterator[tuple[str, str, str]]:
    """The same of a file of medfl's own, as our formatter writes it: ten times as fast."""
    for module, several, one, modules in _IMPORT.findall(_TEXT.sub("", text)):
        for part in _COMMENT.sub("", several or one or modules).split(","):
            if words := part.split():  # `name`, or `name as other`
                yield (words[-1], module, words[0]) if module else (words[-1], words[0], "")


def statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements, also inner ones. Expressions are skipped: many, and none imports."""
    for node in nodes:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(node, part, ()))


def _resolve(source: str, attribute: str) -> list[str]:
    """The module in which ``attribute`` is defined, also where a package only hands it on."""
    if attribute and file_of(f"{source}.{attribute}").is_file():
        return [f"{source}.{attribute}"]
    if file_of(source).name != "__init__.py":
        return [source]
    for bound, inner, name in _import_statements(file_of(source)):
        if bound == attribute:
            return _resolve(inner, name)
    return [source]
