"""Say which images are there twice, by their files or their pixels, where that does harm."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from medfl.store.table import Sample


def pixels_digest(image: np.ndarray) -> str:
    """Hash pixels as a store holds them; empty where all are of one value, which tells nothing."""
    if not image.size or bool((image == image.flat[0]).all()):
        return ""
    head = f"{image.dtype.str}{image.shape}".encode()
    return hashlib.blake2b(head + np.ascontiguousarray(image).tobytes(), digest_size=16).hexdigest()


def equal_images(
    samples: Sequence[Sample], files: Sequence[str], pixels: Sequence[str]
) -> list[str]:
    """Warn of images that are equal, and whose labels, folds or patients differ.

    A copy that was saved in another format, or under another name of its patient, has other bytes
    and the same pixels.

    Args:
        samples: N samples.
        files: hashes of each one's files; empty for what is no file.
        pixels: hashes of each one's pixels; empty for what is not to be compared.
    """
    by_file = _families(files)
    # Families of equal files are not told again by their pixels.
    by_pixels = [rows for rows in _families(pixels) if len({files[row] or row for row in rows}) > 1]
    warnings = []
    for families, how in ((by_file, "equal files"), (by_pixels, "equal pixels in other files")):
        warnings += _about([[samples[row] for row in rows] for rows in families], how)
    return warnings


def _families(digests: Iterable[str]) -> list[list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        if digest:
            rows[digest].append(row)
    return [found for found in rows.values() if len(found) > 1]


def _about(families: Sequence[Sequence[Sample]], how: str) -> list[str]:
    labels = [one for one in families if len({tuple(sample.labels) for sample in one}) > 1]
    folds = [one for one in families if len({sample.fold for sample in one}) > 1]
    told = {id(one) for one in [*labels, *folds]}
    patients = [one for one in families if id(one) not in told and len({s.group for s in one}) > 1]
    warnings = []
    if labels:
        warnings.append(
            f"{sum(map(len, labels)):,} images are there twice with different labels, as {how}: "
            "all are kept; look at which label is right, and remove the others"
        )
    if folds:
        warnings.append(
            f"LEAK: {sum(map(len, folds)):,} images are there twice in different folds, as {how}: "
            "all are kept, so the test knows pictures of the training; remove one of each, or have "
            "folds made anew"
        )
    if patients:
        warnings.append(
            f"{sum(map(len, patients)):,} images are there twice, as {how}, and count as images of "
            "different patients: all are kept, and one may be in training and the other in test; "
            "remove one of each, or say who is whose by `patient`"
        )
    return warnings
