"""What a grid needs that this machine may lack, said before anything runs."""

from __future__ import annotations

import shutil

from medfl.datasets.described.custom_entry import CustomEntry
from medfl.datasets.place import place_of
from medfl.datasets.registry import parse_dataset
from medfl.errors import MedflError
from medfl.grid import GridConfig


def without_conda() -> str:
    """Why no job can have a conda environment; empty where conda is there."""
    if shutil.which("conda") is not None:
        return ""
    return (
        "--use-conda needs conda 24.7.1 or newer, and PATH has none. Install it (Miniforge brings "
        "it), or leave --use-conda out: jobs then run in this environment."
    )


def without_images(grid: GridConfig) -> list[str]:
    """A sentence for each dataset of a grid of which neither a store nor an image is there."""
    found = []
    for word in grid.datasets:
        spec = parse_dataset(word)
        own_class = isinstance(spec.dataset, CustomEntry)  # which looks for them itself
        if spec.dataset.synthetic or own_class or place_of(spec, grid.work_root).exists():
            continue
        try:
            if spec.dataset.count(grid.places)[0] is None:
                found.append(str(spec.dataset.missing(grid.places)))
        except MedflError as error:  # a folder that cannot be read
            found.append(str(error))
    return list(dict.fromkeys(found))
