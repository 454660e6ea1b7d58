"""Images that do not fit into memory."""

from __future__ import annotations

import re

import pytest
import torch
from federations import small_store, split_of

from medfl.errors import MedflError
from medfl.federated import FederatedData


@pytest.mark.parametrize("kind", [MemoryError, torch.OutOfMemoryError])
def test_images_that_do_not_fit_name_the_setting_that_helps(monkeypatch, kind):
    """The main memory's error, and a GPU's."""
    store = small_store(60)

    def full(array):
        raise kind

    monkeypatch.setattr(torch, "from_numpy", full)
    message = f"in {re.escape(str(store.path))} do not fit into memory: set `training.images: disk`"
    with pytest.raises(MedflError, match=message):
        FederatedData(store, split_of(store, [20, 20]), "cpu", "memory")
