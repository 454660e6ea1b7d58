"""The samples of a run as the network sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import small_store, split_of

from medfl.federated import FederatedData


def test_pixels_are_normalised_by_the_stores_mean_and_deviation():
    store = small_store(n=24)
    data = FederatedData(store, split_of(store, [16])).double()
    rows = torch.tensor([3, 0])
    expected = (store.images[[3, 0]] / 255 - 0.45) / 0.25
    assert data.inputs(rows).numpy() == pytest.approx(expected, abs=1e-6)


def test_a_channel_that_is_the_same_everywhere_is_zero():
    store = small_store(n=24)
    store.images = np.full_like(store.images, 51)
    store.info = replace(store.info, mean=(0.2,), std=(0.0,))
    data = FederatedData(store, split_of(store, [16])).double()
    assert data.inputs(torch.arange(24)).abs().max() < 1e-6
