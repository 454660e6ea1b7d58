"""A checkpoint is damaged where its bytes are, and not where memory has ended."""

from __future__ import annotations

import pytest
import torch

from medfl.federated import checkpoint


class EndedError(MemoryError):
    """Of a few bytes, which no damaged file asks for."""

    _total_size = 10


def test_memory_that_ends_does_not_begin_a_run_anew(tmp_path, monkeypatch):
    checkpoint.write(tmp_path, {"fingerprint": "f", "round": 3})

    def load(*_, **__):
        raise EndedError

    with monkeypatch.context() as patched:
        patched.setattr(torch, "load", load)
        with pytest.raises(MemoryError):
            checkpoint.read(tmp_path, "f", torch.device("cpu"))
    assert not (tmp_path / checkpoint.ASIDE).exists()
    found = checkpoint.read(tmp_path, "f", torch.device("cpu"))
    assert found is not None
    assert found["round"] == 3
