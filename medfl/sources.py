"""Which medfl sources something comes from, and their hash: so that an edit redoes what it touches.

Sources are found by following import statements (also those inside functions) through the package,
without importing it. What hashes what stands beside what is hashed: ``medfl/provenance.py`` for
runs, ``medfl/datasets/code.py`` for stores.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# What these hold cannot change a number by itself: settings are hashed where they are used, and
# what a registry names is hashed where it is named.
NO_RESULT = frozenset(
    f"medfl.{name}"
    for name in (
        *("config", "errors", "provenance", "registry", "sources", "gpu", "grid"),
        *("algorithms.registry", "models.registry", "partition.registry"),
    )
)


@lru_cache
def source_sha(*modules: str) -> str:
    """Hash of ``modules`` (a package stands for all its files) and of all they import in medfl."""
    folders = [folder for name in modules if (folder := _folder(name)).is_dir()]
    data = [path for folder in folders for path in sorted(folder.rglob("*.*"))]
    return sha(modules, [path for path in data if path.suffix not in (".py", ".pyc")])


def sources(modules: Iterable[str], skip: Collection[str] = NO_RESULT) -> list[str]:
    """The names of ``modules`` and of every medfl module that they import, directly or not."""
    waiting: list[str] = []
    for name in modules:
        files = sorted(_folder(name).rglob("[!_]*.py"))
        waiting += [_name(path) for path in files] or [name]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        inside = {name, ".".join(name.split(".")[:2])}  # a package's modules with the package
        if name not in found and inside.isdisjoint(skip) and file_of(name).is_file():
            found.add(name)
            waiting += _imports(name)
    return sorted(found)


def sha(
    modules: Iterable[str], files: Iterable[Path] = (), skip: Collection[str] = NO_RESULT
) -> str:
    """Hash of ``modules``, of all they import in medfl, and of further ``files``."""
    digest = hashlib.sha256()
    parts = [(name, file_of(name)) for name in sources(modules, skip)]
    for name, path in parts + [(file.name, file) for file in files]:
        digest.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _folder(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])


def _name(path: Path) -> str:
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


def file_of(module: str) -> Path:
    """The file of a module or package of medfl."""
    path = _folder(module)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@lru_cache
def _import_statements(module: str) -> list[tuple[str, str, str]]:
    """(name bound, module, attribute) of each medfl import in a module; attribute may be ''."""
    found = []
    for node in ast.walk(ast.parse(file_of(module).read_bytes())):
        if isinstance(node, ast.Import):
            found += [(alias.asname or alias.name, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [(alias.asname or alias.name, node.module, alias.name) for alias in node.names]
    return [entry for entry in found if entry[1].split(".")[0] == "medfl"]


def _imports(module: str) -> list[str]:
    return [
        target
        for _, source, attribute in _import_statements(module)
        for target in _resolve(source, attribute)
    ]


def _resolve(source: str, attribute: str) -> list[str]:
    """The module that really holds ``attribute``: a package's re-exports are looked through."""
    if attribute and file_of(f"{source}.{attribute}").is_file():
        return [f"{source}.{attribute}"]
    if file_of(source).name != "__init__.py":
        return [source]
    for bound, inner, name in _import_statements(source):
        if bound == attribute:
            return _resolve(inner, name)
    return [source]
