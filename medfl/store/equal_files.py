"""Say which images are there twice, by their files, where that does harm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from medfl.store.table import Sample


def equal_files(samples: Sequence[Sample], digests: Sequence[str]) -> list[str]:
    """Warn of images whose files are equal byte by byte, and whose labels or folds differ.

    Args:
        samples: N samples.
        digests: those of each one's files; empty for what is no file.
    """
    families: dict[str, list[Sample]] = defaultdict(list)
    for sample, digest in zip(samples, digests, strict=True):
        if digest:
            families[digest].append(sample)
    several = [family for family in families.values() if len(family) > 1]
    labels = sum(len(one) for one in several if len({tuple(s.labels) for s in one}) > 1)
    folds = sum(len(one) for one in several if len({s.fold for s in one}) > 1)
    warnings = []
    if labels:
        warnings.append(
            f"{labels:,} images are there twice with different labels, as equal files: all are "
            "kept; look at which label is right, and remove the others"
        )
    if folds:
        warnings.append(
            f"LEAK: {folds:,} images are there twice in different folds, as equal files: all are "
            "kept, so the test knows pictures of the training; remove one of each, or have folds "
            "made anew"
        )
    return warnings
