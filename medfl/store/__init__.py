"""A store holds a dataset at one resolution: made once, then memory-mapped by every run."""

from medfl.store.info import DatasetInfo
from medfl.store.store import DATASET, IMAGES, PREPARATION, Store
from medfl.store.table import FOLDS, Sample
from medfl.store.writer import write_store

__all__ = [
    "DATASET",
    "FOLDS",
    "IMAGES",
    "PREPARATION",
    "DatasetInfo",
    "Sample",
    "Store",
    "write_store",
]
