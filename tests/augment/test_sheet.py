"""The sheet of samples before and after."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from federations import small_store
from PIL import Image

from medfl.augment import augmentation_sheet
from medfl.config import Augmentation
from medfl.errors import MedflError


def store_of(images, modality="DX"):
    store = small_store(len(images))
    store.images, store.info = images, replace(store.info, modality=modality)
    return store


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 32), (1, 8, 32, 32)])
def test_the_first_column_is_the_data(tmp_path, kind, shape):
    low, high = (0, 255) if kind == np.uint8 else (-1000, 2000)
    images = np.random.default_rng(0).integers(low, high, (10, *shape), endpoint=True, dtype=kind)
    images[:, :, ..., 0, 0], images[:, :, ..., 0, 1] = low, high  # the whole range in each image
    path = augmentation_sheet(
        store_of(images), Augmentation(preset="auto"), tmp_path / "a.png", samples=4, draws=3
    )
    sheet = np.asarray(Image.open(path))
    assert sheet.shape[:2] == (4 * 128, 4 * 128)
    for row, sample in enumerate((0, 3, 6, 9)):
        picture = images[sample].astype(float) if len(shape) == 3 else images[sample][:, 4]
        expected = np.moveaxis((picture - low) / (high - low) * 255, 0, -1).squeeze().round()
        assert np.abs(sheet[128 * row : 128 * (row + 1) : 4, :128:4] - expected).max() <= 1
    assert (sheet[:, :128] != sheet[:, 128:256]).any()


def test_nothing_to_see_is_said(tmp_path):
    store = SimpleNamespace(**vars(small_store(10)))
    with pytest.raises(MedflError, match="nothing to see"):
        augmentation_sheet(store, Augmentation(), tmp_path / "a.png")
