"""Keep official folds that can be trusted; mend or drop others, and say so loudly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from medfl.store import FOLDS, Sample

MENDABLE = 0.1  # share of images in cut groups above which folds are no split by group at all


def settle_folds(samples: Sequence[Sample], whose: str) -> tuple[list[Sample], list[str]]:
    """Make official folds whole: every sample has one, train and test are there, no group is cut.

    If few images (``MENDABLE``) belong to groups in two folds, such a group goes to the test fold
    as a whole, or to ``val`` if that is its other one: no test image is lost, and none is shown in
    training. Otherwise, and if samples have no fold or a fold is empty, all folds are emptied: the
    split then makes folds by group.

    Args:
        samples: the samples with the published folds, or with empty ones.
        whose: what publishes the folds, for the warnings.

    Returns:
        The samples, and warnings about what was changed.
    """
    samples = list(samples)
    found = {sample.fold for sample in samples}
    if found <= {""}:
        return samples, []
    dropped = "so the store states no folds; splits make their own, by group"
    if "" in found:
        none = sum(not sample.fold for sample in samples)
        return _without(samples), [
            f"{whose} name no fold of {none:,} of {len(samples):,} images, {dropped}"
        ]
    if not {"train", "test"} <= found:
        lacking = " and ".join(sorted({"train", "test"} - found))
        return _without(samples), [f"{whose} give no image to {lacking}, {dropped}"]
    of_group: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        of_group[sample.group].add(sample.fold)
    cut = {
        group: max(folds, key=FOLDS.index) for group, folds in of_group.items() if len(folds) > 1
    }
    if not cut:
        return samples, []
    images = sum(sample.group in cut for sample in samples)
    leak = f"LEAK in {whose}: {len(cut):,} groups ({images:,} images) lie in two folds"
    if images > MENDABLE * len(samples):
        return _without(samples), [f"{leak}, {dropped}"]
    moved = sum(cut.get(sample.group, sample.fold) != sample.fold for sample in samples)
    mended = [replace(sample, fold=cut.get(sample.group, sample.fold)) for sample in samples]
    return mended, [f"{leak}; each goes to its later fold, which moves {moved:,} images"]


def _without(samples: Sequence[Sample]) -> list[Sample]:
    return [replace(sample, fold="") for sample in samples]
