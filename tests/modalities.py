"""Samples of two modalities whose class is recoverable only from both.

A finding is visible, or not, in each modality, independently; the class is how many show it:
none, one or both. From one modality alone no more than half of the samples can be told (a finding
there leaves `one` and `both` equally likely), from both all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

CLASSES = ("none", "one", "both")
Writer = Callable[[Path, np.random.Generator, bool], None]


def write_samples(folder: Path, writers: dict[str, tuple[str, Writer]], count: int) -> Path:
    """Write ``count`` samples (a multiple of 4) and ``labels.csv``.

    Args:
        folder: where to.
        writers: modality → (path with ``{id}``, what writes one image to a path).
        count: how many; each of the four combinations equally often.

    Returns:
        The table, with the columns id, label and one for each modality.
    """
    rng = np.random.default_rng(0)
    lines = [",".join(["id", "label", *writers])]
    for number in range(count):
        shown = (number % 2, number // 2 % 2)
        ident = f"sub{number:03d}"
        files = [path.format(id=ident) for path, _ in writers.values()]
        for file, (_, write), finding in zip(files, writers.values(), shown, strict=True):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write(folder / file, rng, bool(finding))
        lines.append(",".join([ident, CLASSES[sum(shown)], *files]))
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def write_volume(path: Path, rng: np.random.Generator, finding: bool) -> None:
    """A head of 16³ voxels of 2 mm, tilted axes; the finding is a bright ball in it."""
    import nibabel

    grid = np.stack(np.meshgrid(*[np.arange(16) - 7.5] * 3, indexing="ij"))
    values = rng.normal(0, 10, (16, 16, 16)) + 100 * (np.linalg.norm(grid, axis=0) < 7)
    place = rng.uniform(-1, 1, 3)[:, None, None, None]
    values += 150 * finding * (np.linalg.norm(grid - place, axis=0) < 5)
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)


def write_photo(path: Path, rng: np.random.Generator, finding: bool) -> None:
    """Skin of 24 × 32 pixels in RGB; the finding is a dark spot on it."""
    from PIL import Image

    y, x = np.mgrid[:24, :32]
    place = rng.uniform((9, 11), (15, 21))
    spot = np.hypot(y - place[0], x - place[1]) < 5
    values = rng.normal((200, 150, 130), 8, (24, 32, 3))
    values[spot & finding] -= 90
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path)
