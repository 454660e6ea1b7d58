"""Which precision a run computes in, by its settings and its device."""

from __future__ import annotations

import pytest
import torch

from medfl.config import Training
from medfl.federated.precision import autocast


def test_half_precision_is_bfloat16_on_every_device(monkeypatch):
    """PyTorch's own default on a GPU is float16, which overflows at 65,504."""
    asked = []
    monkeypatch.setattr(torch, "autocast", lambda device, **other: asked.append((device, other)))
    for device in ("cpu", "cuda"):
        autocast(Training(mixed_precision="on"), torch.device(device))
    wanted = {"dtype": torch.bfloat16, "enabled": True}
    assert asked == [("cpu", wanted), ("cuda", wanted)]


@pytest.mark.parametrize(("word", "wanted"), [("auto", False), ("off", False), ("on", True)])
def test_a_cpu_computes_in_bfloat16_only_where_it_is_told_to(word, wanted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    model, images = torch.nn.Linear(3, 2), torch.ones(1, 3)
    with autocast(Training(mixed_precision=word), torch.device("cpu")):
        computed = model(images).dtype
    assert computed == (torch.bfloat16 if wanted else torch.float32)
