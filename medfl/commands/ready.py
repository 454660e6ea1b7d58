"""What the jobs of a grid import on their way, for the process from which they are forked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from medfl.errors import MedflError

MODULES = (
    "medfl.commands.call",
    "medfl.commands.options",
    "medfl.grid",
    "medfl.grid.shared",
    "medfl.pipeline.fixed",
    "medfl.gpu",
    "medfl.federated.run",
    "medfl.tuning.choose",
    "medfl.datasets.prepare",
    "medfl.datasets.catalog.phantom",
    "medfl.models.small",
    "medfl.partition.write",
    "medfl.partition.picture",
    "medfl.metrics.medical",
    "medfl.report.steps",
    "medfl.report.figures",
    "medfl.report.html",
    "medfl.report.plots.best_of_k",
    "medfl.federated.stale",
    # What these import where they first need it.
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "pandas",
    "pydantic.dataclasses",
    "safetensors.torch",
    "scipy.special",
)
"""In the order in which a grid comes to them. Nothing is done with them here."""


OFTEN = ("run", "split")
"""Commands whose options are made here, for they are called again and again."""


def get_ready() -> tuple[Callable[[], None], Callable[[], None]]:
    """Import them, and read the sources, of which every run gives the hashes and the commit.

    Returns:
        What is done here before each fork: the file of a store is read once it is there. And what a
        job does first in its own process: what is drawn without a seed begins anew there.
    """
    for name in MODULES:
        import_module(name)
    import numpy as np
    import torch
    from PIL import Image

    from medfl.algorithms.registry import ALGORITHMS
    from medfl.commands.call import parse_ahead
    from medfl.datasets.described.fixed import GRID
    from medfl.federated.code import ROOTS
    from medfl.federated.provenance import git_commit
    from medfl.models.registry import MODELS
    from medfl.sources import hashes

    for name in ALGORITHMS:
        ALGORITHMS.load(name)
    Image.preinit()
    named = (registry.sources(name) for registry in (ALGORITHMS, MODELS) for name in registry)
    hashes([*ROOTS, *(module for one in named for module in one.modules)])
    git_commit()
    parse_ahead(*OFTEN)
    left = _stores(os.environ.get(GRID))

    def look() -> None:
        _read(left)

    look()

    def begin() -> None:
        np.random.seed()  # noqa: NPY002 - people's own code may draw from it
        torch.default_generator.seed()

    return look, begin


def _stores(path: str | None) -> list[Path]:
    """Read the grid's file, as each of its jobs will; the files of its stores.

    Nothing is done with what it says: a class of a person's own would be imported. A mistake is
    told by the job.
    """
    from medfl.config import prepared_dir
    from medfl.files import read_yaml
    from medfl.store import DATASET

    with suppress(MedflError, LookupError, TypeError):
        grid = read_yaml(path) if path else {}
        root = prepared_dir(grid["work_root"])
        return [root / name / DATASET for name in grid["datasets"]]
    return []


def _read(left: list[Path]) -> None:
    """Read those of the files that are there, and take them from the list."""
    from medfl.files import read_yaml

    for path in [path for path in left if path.is_file()]:
        left.remove(path)
        with suppress(MedflError):
            read_yaml(path)
