"""The code that a split comes from."""

from __future__ import annotations

from medfl.partition.registry import PARTITIONS
from medfl.partition.scheme import split_word
from medfl.versions import Code, code_of

SPLIT = 2
"""The results version of what all partitions share: folds, groups, and how these are dealt."""

ROOTS = ("medfl.partition", "medfl.store.store")


def split_code(partition: str) -> Code:
    """The code of the rooms in which splits are made, and of the partition of this word."""
    named = ((PARTITIONS, split_word(partition)[0]),)
    return code_of(ROOTS, ("split", SPLIT), named)
