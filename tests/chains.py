"""Every link and rule of medfl as a chain, and federations that run with one."""

from __future__ import annotations

import torch
from federations import ALGORITHMS, federation, models

FEDERATED = sorted(set(ALGORITHMS) - {"local", "centralized"})
# Every link and rule of the registry, except the sum, which other federations of the tests use.
LINKS = {
    "clip": {"links": {"clip": {"norm": 0.05}}},
    "quantize": {"links": {"quantize": {"bits": 8}}},
    "secure_aggregation": {
        "links": {
            "secure_aggregation": {"bounds": {"a": 100.0}, "ring_bits": 64, "weight_unit": 1e-5}
        }
    },
    "median": {"rule": "median"},
}


def build(name, chain=None, **settings):
    return federation(name.split("-")[0], ALGORITHMS[name], chain=chain or {}, **settings)


def runs_alike(one, other, atol=0.0):
    for a, b in zip(models(one), models(other), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=atol)
    assert torch.allclose(one.server.buffers, other.server.buffers, rtol=0, atol=atol)
