"""Train, validation and test: the dataset's own folds, else groups dealt by label and site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medfl.errors import MedflError
from medfl.partition.deal import deal
from medfl.partition.groups import Groups
from medfl.partition.random import stream

if TYPE_CHECKING:
    from medfl.store import Store

FOLDS = ("train", "val", "test")
TRAIN, VAL, TEST = range(len(FOLDS))


def assign_folds(
    store: Store,
    groups: Groups,
    seed: int,
    val_fraction: float,
    test_fraction: float,
    *,
    official_folds: bool = True,
    test_seed: int | None = None,
) -> np.ndarray:
    """The fold of each group: 0 train, 1 val, 2 test.

    Only the data and the seed decide it, so all partitions of one seed share the same test set.
    Official folds are kept if so asked; where they lack ``val``, it is taken from their ``train``.

    Args:
        store: the prepared dataset.
        groups: its groups.
        seed: the split's seed.
        val_fraction: share of all samples for validation.
        test_fraction: share of all samples for the test.
        official_folds: keep the folds that the dataset brings, if it brings any.
        test_seed: draws the test fold where no official folds are kept; ``seed`` then draws
            validation alone, from the rest.

    Returns:
        (G,) fold numbers, an index into ``FOLDS``.

    Raises:
        MedflError: where official folds cut a group or lack some, or there are too few groups.
    """
    if not (val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1):
        raise MedflError(
            f"val_fraction {val_fraction:g} and test_fraction {test_fraction:g} must both be more "
            "than 0 and leave something to train on."
        )
    shares = np.array([1 - val_fraction - test_fraction, val_fraction, test_fraction])
    fold = _official(store, groups) if official_folds else None
    if fold is None and test_seed is not None:
        apart = np.array([1 - test_fraction, 0, test_fraction])
        fold = _stratified(groups, np.arange(len(groups)), apart, test_seed)
    if fold is None:
        fold = _stratified(groups, np.arange(len(groups)), shares, seed)
    elif not (fold == 1).any():
        inside = np.flatnonzero(fold == 0)
        shares[2] = 0
        fold[inside] = _stratified(groups, inside, shares / shares.sum(), seed)
    for number, name in enumerate(FOLDS):
        if not (fold == number).any():
            raise MedflError(
                f"the dataset's {len(groups)} groups (patients) are too few to give the {name} "
                "fold one: prepare more data, or enlarge that fold's fraction."
            )
    return fold


def _official(store: Store, groups: Groups) -> np.ndarray | None:
    """(G,) folds that the dataset brings; None where it brings none."""
    names = np.asarray(store.folds).astype(str)
    if (names == "").all():
        return None
    for row in np.flatnonzero(~np.isin(names, FOLDS)):
        raise MedflError(
            f"{store.path}: sample `{store.ids[row]}` has the fold `{names[row]}`; the column must "
            "say train, val or test for every sample, or be empty for all."
        )
    of_sample = np.select([names == name for name in FOLDS], range(3))
    fold = np.zeros(len(groups), np.int64)
    fold[groups.of_sample] = of_sample
    for row in np.flatnonzero(fold[groups.of_sample] != of_sample):
        other = FOLDS[fold[groups.of_sample[row]]]
        raise MedflError(
            f"{store.path}: the official folds put group `{store.groups[row]}` into both "
            f"{names[row]} and {other}. Have folds made by group: `official_folds: false`, or "
            "--no-official-folds."
        )
    return fold


def _stratified(groups: Groups, members: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """Deal groups to folds so that each holds its share of every label and of every site."""
    labels = groups.counts[members]
    sites = np.unique(groups.sites[members])
    of_site = (groups.sites[members][:, None] == sites) * groups.sizes[members][:, None]
    counts = np.hstack([labels, of_site])
    fold = deal(counts, shares[:, None] * counts.sum(0), stream(seed, "folds"))
    # All groups of a rare label may have gone to other folds, with labels that are rarer still.
    # The training fold needs one of each label.
    rng = stream(seed, "folds", "every label in train")
    for label in range(labels.shape[1]):
        carriers = np.flatnonzero(labels[:, label] > 0)
        if len(carriers) and not (fold[carriers] == 0).any():
            fold[rng.choice(carriers)] = 0
    return fold
