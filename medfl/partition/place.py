"""Where the file of a split lies. All that decides the split stands in its path.

``<splits>/<dataset>/<partition>/<dealing>/seed<k>.csv``, where the dealing is ``clients10``, or
``natural`` where the data's own sites are the clients, and names the fold settings that are not
the defaults: ``clients10-val0.1-drawn``. So no two grids write to one file. What lies at
``<splits>/<dataset>/<partition>/seed<k>.csv`` is a person's (``medfl/partition/given.py``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from medfl.config import SplitConfig
from medfl.errors import MedflError
from medfl.partition.scheme import is_built_in

NATURAL = "natural"
DEALING = re.compile(rf"(clients[0-9]+|{NATURAL})(-|$)")
# The word for each fold setting that is not the default; for a switch, the word alone.
WORDS = {
    "min_samples": "min",
    "min_val": "minval",
    "min_test": "mintest",
    "val_fraction": "val",
    "test_fraction": "test",
    "official_folds": "drawn",
    "test_seed": "testseed",
    "allow_divided_patients": "divided",
}


def split_path(
    root: str | os.PathLike[str],
    dataset: str,
    partition: str,
    seed: int,
    clients: int | None,
    folds: SplitConfig,
) -> Path:
    """The file of a split.

    Args:
        root: the folder of all splits.
        dataset: the dataset's word.
        partition: the scheme's word.
        seed: the split's seed.
        clients: the number of clients; None where the data decide it.
        folds: the settings of its folds.
    """
    return Path(root, dataset, partition, dealing(clients, folds), f"seed{seed}.csv")


def dealing(clients: int | None, folds: SplitConfig) -> str:
    """The part of a split's path that says how it is dealt, such as ``clients10-val0.1``."""
    usual = SplitConfig()
    parts = [NATURAL if clients is None else f"clients{clients}"]
    for name in type(folds).model_fields:
        value = getattr(folds, name)
        if value != getattr(usual, name):
            parts.append(WORDS[name] if isinstance(value, bool) else f"{WORDS[name]}{value}")
    return "-".join(parts)


def partition_of(path: Path) -> str:
    """The scheme's word in the path of a split, which may lack the dealing."""
    dealt = DEALING.match(path.parent.name)
    return (path.parent.parent if dealt else path.parent).name


def check_place(
    path: Path, partition: str, seed: int, clients: int | None, folds: SplitConfig
) -> None:
    """Refuse to write a split where a grid looks for one that is dealt in another way.

    Args:
        path: the table.
        partition: the scheme's word.
        seed: the split's seed.
        clients: the number of clients; None where the data decide it.
        folds: the settings of its folds.

    Raises:
        MedflError: the path names another partition, seed or dealing.
    """
    word = path.parent.parent.name
    if not DEALING.match(path.parent.name) or not is_built_in(word):
        return
    place = Path(partition, dealing(clients, folds), f"seed{seed}{path.suffix}")
    there = Path(word, path.parent.name, path.name)
    if there != place:
        raise MedflError(
            f"{path} is the place of another split: this one belongs to {place}. Give the options "
            "that the path names, or write to another folder."
        )


def sidecar(path: str | os.PathLike[str]) -> Path:
    """Where the heterogeneity record of the split at ``path`` lies."""
    return Path(path).with_suffix(".heterogeneity.json")
