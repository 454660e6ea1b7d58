"""Which precision a run computes in, by its settings and its device."""

from __future__ import annotations

import pytest
import torch

from medfl.config import Training
from medfl.federated.precision import autocast


@pytest.mark.parametrize(("word", "wanted"), [("auto", False), ("off", False), ("on", True)])
def test_a_cpu_computes_in_bfloat16_only_where_it_is_told_to(word, wanted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    model, images = torch.nn.Linear(3, 2), torch.ones(1, 3)
    with autocast(Training(mixed_precision=word), torch.device("cpu")):
        computed = model(images).dtype
    assert computed == (torch.bfloat16 if wanted else torch.float32)
