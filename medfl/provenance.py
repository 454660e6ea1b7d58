"""Which medfl sources a result comes from: so that an edit redoes what it touches, nothing else.

A run's sources are found by following import statements (also those inside functions) through the
package, without importing it. What is looked up by name at run time, the algorithm and the model,
is added by name: editing one algorithm's file changes the hash of its own runs only.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from medfl.algorithms.registry import ALGORITHMS

if TYPE_CHECKING:
    from medfl.data.catalog.base import Dataset, Places

PACKAGE = Path(__file__).resolve().parent

# What these hold cannot change a number by itself: settings are hashed where they are used.
NO_RESULT = frozenset(
    f"medfl.{name}" for name in ("config", "errors", "provenance", "registry", "gpu", "grid")
)
# The registry of models imports them all; these are only reached by torchvision's networks.
TORCHVISION = frozenset({"medfl.models.backbones", "medfl.models.torchvision_cpu"})
SMALL_MODELS = ("cnn", "mlp", "logistic")


@lru_cache
def code_sha(algorithm: str, model: str) -> str:
    """Hash of the sources that a run uses: the engine, its algorithm's file and its model's.

    Args:
        algorithm: a registered name, or a user's ``module:Class`` (its base classes' files count).
        model: a model's name.

    Returns:
        SHA-256 over names and contents, in hexadecimal.
    """
    modules, files = ALGORITHMS.sources(algorithm)
    roots = ["medfl.federated", "medfl.models", *modules]
    skip = TORCHVISION if model in SMALL_MODELS else frozenset[str]()
    return _sha(roots, files, NO_RESULT | skip)


@lru_cache
def source_sha(*modules: str) -> str:
    """Hash of ``modules`` (a package stands for all its files) and of all they import in medfl."""
    folders = [folder for name in modules if (folder := _folder(name)).is_dir()]
    data = [path for folder in folders for path in sorted(folder.rglob("*.*"))]
    return _sha(modules, [path for path in data if path.suffix not in (".py", ".pyc")], NO_RESULT)


def dataset_sha(dataset: str, places: Places | None = None) -> str:
    """Hash of what prepares a dataset (a spec word such as ``ham10000-64``).

    That is its sources and, of one's own data, its description, which may lie in ``places``.
    """
    from medfl.config import data_root
    from medfl.data.catalog import Places, parse_dataset

    places = places or Places(data_root(), Path("data"))
    return entry_sha(parse_dataset(dataset).dataset, places)


def entry_sha(entry: Dataset, places: Places) -> str:
    """Hash of what prepares a dataset, given itself."""
    kind = type(entry)
    # The loader looks datasets up by name: its file counts, what the registry imports does not.
    roots = [base.__module__ for base in kind.__mro__ if base.__module__.startswith("medfl.")]
    sha = _sha([*roots, "medfl.data.build"], [_file("medfl.data.loader")], NO_RESULT)
    own = entry.description_sha(places)
    return hashlib.sha256(f"{sha}{own}".encode()).hexdigest() if own else sha


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
        if name not in found and inside.isdisjoint(skip) and _file(name).is_file():
            found.add(name)
            waiting += _imports(name)
    return sorted(found)


def _sha(modules: Iterable[str], files: Iterable[Path], skip: Collection[str]) -> str:
    digest = hashlib.sha256()
    parts = [(name, _file(name)) for name in sources(modules, skip)]
    for name, path in parts + [(file.name, file) for file in files]:
        digest.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _folder(module: str) -> Path:
    return PACKAGE.joinpath(*module.split(".")[1:])


def _name(path: Path) -> str:
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))


def _file(module: str) -> Path:
    path = _folder(module)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@lru_cache
def _import_statements(module: str) -> list[tuple[str, str, str]]:
    """(name bound, module, attribute) of each medfl import in a module; attribute may be ''."""
    found = []
    for node in ast.walk(ast.parse(_file(module).read_bytes())):
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
    if attribute and _file(f"{source}.{attribute}").is_file():
        return [f"{source}.{attribute}"]
    if _file(source).name != "__init__.py":
        return [source]
    for bound, inner, name in _import_statements(source):
        if bound == attribute:
            return _resolve(inner, name)
    return [source]
