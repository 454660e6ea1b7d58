"""What the jobs of a grid import on their way, for the process from which they are forked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

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


def get_ready() -> Callable[[], None]:
    """Import them, and read the sources, of which every run gives the hashes and the commit.

    Returns:
        What a job does first in its own process: what is drawn without a seed begins anew there.
    """
    for name in MODULES:
        import_module(name)
    import numpy as np
    import torch
    from PIL import Image

    from medfl.algorithms.registry import ALGORITHMS
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
    _read_ahead(os.environ.get(GRID))

    def begin() -> None:
        np.random.seed()  # noqa: NPY002 - people's own code may draw from it
        torch.default_generator.seed()

    return begin


def _read_ahead(path: str | None) -> None:
    """Read the grid's file and those of its stores that are there, as each of its jobs will.

    Nothing is done with what they say: a class of a person's own would be imported. A mistake is
    told by the job.
    """
    from medfl.config import prepared_dir
    from medfl.files import read_yaml
    from medfl.store import DATASET

    with suppress(MedflError, LookupError, TypeError):
        grid = read_yaml(path) if path else {}
        for name in grid["datasets"]:
            read_yaml(prepared_dir(grid["work_root"]) / name / DATASET)
