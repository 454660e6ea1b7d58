"""Rules and attacks beside ByzFL's on random updates; skipped where byzfl is not installed.

ByzFL is of the extra ``dev``, and nothing of medfl imports it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from byzantine import combine, rows_of

from medfl.models.torchvision_cpu import import_torchvision
from medfl.robustness.clipping import CentredClipping
from medfl.robustness.geometric_median import GeometricMedian
from medfl.robustness.krum import Krum, MultiKrum
from medfl.robustness.median import CoordinateMedian, TrimmedMean

N, D, F = 11, 40, 2


@pytest.fixture(scope="module")
def byzfl() -> Any:
    import_torchvision()  # which byzfl imports
    return pytest.importorskip("byzfl")


@pytest.fixture(params=[0, 1, 2])
def updates(request) -> Any:
    """Nine alike and two far away, of which each entry is another."""
    random = np.random.default_rng(request.param)
    rows = random.normal(1.0, 1.0, (N, D))
    rows[random.permutation(N)[:F]] *= -8.0
    return rows


def theirs(byzfl, name):
    """ByzFL's rule of the same meaning."""
    return {
        "median": (CoordinateMedian(withstands=F), byzfl.Median()),
        "trimmed": (TrimmedMean(withstands=F), byzfl.TrMean(f=F)),
        "krum": (Krum(withstands=F), byzfl.Krum(f=F)),
        "multi_krum": (MultiKrum(withstands=F), byzfl.MultiKrum(f=F)),
        # Theirs makes as many steps as T says; ν is a bound below which a distance counts as ν.
        "geometric": (GeometricMedian(withstands=F), byzfl.GeometricMedian(nu=1e-6, T=3000)),
        "clipping": (
            CentredClipping(radius=3.0, steps=4, withstands=F),
            byzfl.CenteredClipping(L=4, tau=3.0),
        ),
    }[name]


@pytest.mark.parametrize(
    "name", ["median", "trimmed", "krum", "multi_krum", "geometric", "clipping"]
)
def test_rules(byzfl, updates, name):
    ours, other = theirs(byzfl, name)
    found = combine(ours, updates).update / N
    np.testing.assert_allclose(found.numpy(), other(updates), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["median", "trimmed", "krum"])
def test_after_nearest_neighbour_mixing(byzfl, updates, name):
    ours, other = theirs(byzfl, name)
    ours = type(ours)(withstands=F, pre_aggregation="nnm")
    found = combine(ours, updates).update / N
    np.testing.assert_allclose(found.numpy(), other(byzfl.NNM(f=F)(updates)), rtol=0, atol=1e-9)


def test_attacks(byzfl, updates):
    from medfl.robustness.attacks.knowing import mean, moved

    rows = rows_of(updates)
    found = {
        "alie": moved(rows, 1.5, "plus"),
        "ipm": mean(rows).mul(-2.0),
        "sign": mean(rows).mul(-1.0),
    }
    expected = {
        "alie": byzfl.ALittleIsEnough(tau=1.5)(updates),
        "ipm": byzfl.InnerProductManipulation(tau=2.0)(updates),
        "sign": byzfl.SignFlipping()(updates),
    }
    for name, one in found.items():
        assert isinstance(one, torch.Tensor)
        np.testing.assert_allclose(one.numpy(), expected[name], rtol=0, atol=1e-12)
