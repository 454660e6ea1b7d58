"""Where descriptions of own datasets lie, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medfl.config import validate
from medfl.data.own.schema import OwnData, check_name
from medfl.errors import MedflError
from medfl.files import read_yaml

if TYPE_CHECKING:
    from medfl.data.catalog.base import Dataset

FOLDER = Path("params", "datasets")
VARIABLE = "MEDFL_DATASETS"
ENDINGS = (".yaml", ".yml")


def is_path(word: str) -> bool:
    """Whether a word names a description's file rather than a dataset."""
    return word.endswith(ENDINGS)


def descriptions() -> dict[str, list[Path]]:
    """The files in ``params/datasets`` and in what ``MEDFL_DATASETS`` lists, by dataset name."""
    places = [FOLDER, *map(Path, filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))]
    found: dict[str, list[Path]] = {}
    seen = set()
    for place in places:
        files = [place] if place.is_file() else sorted(place.glob("*"))
        for path in files:
            if path.suffix in ENDINGS and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                found.setdefault(name_of(path), []).append(path)
    return found


def name_of(path: Path) -> str:
    """The name that a description gives, or its file has. What is wrong with it is said later."""
    try:
        content = read_yaml(path)
    except MedflError:
        return path.stem
    name = content.get("name") if isinstance(content, dict) else None
    try:
        return check_name(name) if name else path.stem
    except (ValueError, TypeError):
        return path.stem


def find(name: str, taken: Iterable[str]) -> Dataset | None:
    """The own dataset of a name, or None; ``taken`` are the catalog's names."""
    paths = descriptions().get(name, [])
    if len(paths) > 1:
        both = " and ".join(map(str, paths[:2]))
        raise MedflError(f"{both} both describe a dataset `{name}`: give one another `name:`.")
    return read_description(paths[0], taken) if paths else None


def read_description(path: str | os.PathLike[str], taken: Iterable[str]) -> Dataset:
    """Read and check a description; every mistake in it is a ``MedflError`` naming the file."""
    path = Path(path)
    content: Any = read_yaml(path)
    if not isinstance(content, dict):
        raise MedflError(f"{path} must hold keys such as `folder:` and `table:`.")
    data = validate(OwnData, content, str(path))
    name = data.name or path.stem
    try:
        check_name(name)
    except ValueError as error:
        raise MedflError(f"{path}: the name {error}; say `name:` in the file.") from error
    if name in taken:
        raise MedflError(
            f"{path}: `{name}` is a dataset of the catalog: rename the file, or say `name:` in it."
        )
    from medfl.data.own.dataset import build

    return build(data, name, path)
