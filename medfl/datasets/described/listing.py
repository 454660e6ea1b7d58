"""Which descriptions of datasets there are, by name: most grids name none, and import no reader."""

from __future__ import annotations

import os
from pathlib import Path

from medfl.datasets.described.fixed import fixed
from medfl.errors import MedflError
from medfl.files import read_yaml

FOLDER = Path("params", "datasets")
VARIABLE = "MEDFL_DATASETS"
YAML_ENDINGS = (".yaml", ".yml")


def is_path(word: str) -> bool:
    """Whether a word names a description's file rather than a dataset."""
    return word.endswith(YAML_ENDINGS)


def descriptions() -> dict[str, list[Path]]:
    """List the files in ``params/datasets`` and ``MEDFL_DATASETS``, by dataset name."""
    places = [FOLDER, *map(Path, filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)))]
    found: dict[str, list[Path]] = {}
    seen = set()
    for place in places:
        files = [place] if place.is_file() else sorted(place.glob("*"))
        for path in files:
            if path.suffix in YAML_ENDINGS and path.is_file() and path.resolve() not in seen:
                seen.add(path.resolve())
                found.setdefault(name_of(path), []).append(path)
    return found


def name_of(path: Path) -> str:
    """Give the name that a description states, or its file has; what is wrong is said later."""
    try:
        content = read_yaml(fixed(path))
    except MedflError:
        return path.stem
    name = content.get("name") if isinstance(content, dict) else None
    from medfl.datasets.described.schema import check_name

    try:
        return check_name(name) if name else path.stem
    except (ValueError, TypeError):
        return path.stem
