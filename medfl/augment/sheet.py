"""Draw a sheet of samples before and after, to look at before training with a preset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from medfl.augment.augmenter import make_augmenter
from medfl.augment.units import to_unit
from medfl.config import Augmentation
from medfl.errors import MedflError
from medfl.files import atomic_path

if TYPE_CHECKING:
    from medfl.store import Store

TILE = 128  # pixels of a side at least: small images are shown larger


def augmentation_sheet(
    store: Store,
    settings: Augmentation,
    path: str | os.PathLike[str],
    samples: int = 6,
    draws: int = 7,
    seed: int = 0,
) -> Path:
    """Write a PNG with a row for each sample: its image, then ``draws`` changed ones.

    Samples lie evenly over the store. Volumes show their middle slice, images that are neither grey
    nor RGB their first channel, and 16 bits each image's own range. Mixtures are not shown.

    Returns:
        ``path``.

    Raises:
        MedflError: the settings do nothing, or the data cannot take them.
    """
    from PIL import Image

    generator = torch.Generator().manual_seed(seed)
    augment = make_augmenter(settings, store.info, store.images.shape, generator)
    if augment is None:
        raise MedflError("there is nothing to see: augmentation.preset is none.")
    rows = np.unique(np.linspace(0, len(store) - 1, samples).round().astype(np.int64))
    chosen = np.stack([store.images[row] for row in rows])
    pixels = torch.from_numpy(chosen.astype(np.float32))
    to_unit(pixels, torch.from_numpy(chosen).dtype)
    columns = [pixels]
    columns += [augment.images(pixels.clone(), augment.draw(len(rows))) for _ in range(draws)]
    tiles = torch.stack(columns, dim=1)  # (rows, columns, C, …)
    if tiles.ndim == 6:
        tiles = tiles[:, :, :, tiles.shape[3] // 2]
    tiles = tiles if tiles.shape[2] == 3 else tiles[:, :, :1]
    enlarge = max(1, -(-TILE // tiles.shape[-1]))
    tiles = tiles.repeat_interleave(enlarge, dim=-1).repeat_interleave(enlarge, dim=-2)
    sheet = tiles.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
    picture = (sheet * 255).round().to(torch.uint8).squeeze(-1).numpy()
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
    return Path(path)
