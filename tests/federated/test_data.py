"""The samples of a run as the network sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import small_store, split_of

from medfl.federated import FederatedData
from medfl.store import DatasetInfo, Sample, write_store


def test_pixels_are_normalised_by_the_training_images_of_the_split():
    store = small_store(n=24)
    data = FederatedData(store, split_of(store, [16])).double()
    train = store.images[:16] / 255  # and none of the eight others
    assert data.mean == pytest.approx((train.mean(),), abs=1e-15)
    assert data.std == pytest.approx((train.std(),), abs=1e-15)
    rows = torch.tensor([3, 20])
    expected = (store.images[[3, 20]] / 255 - train.mean()) / train.std()
    assert data.inputs(rows).numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("images", ["memory", "disk"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_a_stores_file_gives_the_same_statistics(tmp_path, dtype, images, monkeypatch):
    # So few values at once that images are read one by one, and a channel in pieces.
    monkeypatch.setattr("medfl.store.statistics.VALUES", 7)
    random = np.random.default_rng(0)
    pixels = random.integers(0, np.iinfo(dtype).max, (24, 2, 3, 3)).astype(dtype)
    samples = [Sample(f"s{i}", ("ab"[i % 2],), f"g{i}") for i in range(24)]
    info = DatasetInfo("toy", "Toy", ("a", "b"), "multiclass", "CT", True, "", "")
    store = write_store(tmp_path / "toy", info, samples, pixels)
    split = split_of(store, [3, 5])
    split.folds[[0, 6]] = "val"
    train = pixels[[1, 2, 3, 4, 5, 7]] / np.iinfo(dtype).max
    data = FederatedData(store, split, images=images)
    assert data.mean == pytest.approx(train.mean(axis=(0, 2, 3)), abs=1e-15)
    assert data.std == pytest.approx(train.std(axis=(0, 2, 3)), abs=1e-15)
    assert data.mean != store.info.mean, "the store's are those of all images"


def test_a_split_by_the_official_folds_has_the_stores_numbers():
    store = small_store(n=24)
    split = split_of(store, [16])
    store.folds = split.folds.copy()
    assert FederatedData(store, split).mean == store.info.mean
    split.folds[0] = "val"  # where own folds are drawn, the official training images say nothing
    assert FederatedData(store, split).mean == pytest.approx((store.images[1:16] / 255).mean())


def test_a_channel_that_is_the_same_everywhere_is_zero():
    store = small_store(n=24)
    store.images = np.full_like(store.images, 51)
    store.info = replace(store.info, mean=(0.2,), std=(0.0,))
    data = FederatedData(store, split_of(store, [16])).double()
    assert data.std == (0.0,)
    assert data.inputs(torch.arange(24)).abs().max() < 1e-6
