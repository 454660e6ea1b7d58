"""Robust rules by hand, and against values of ByzFL (byzfl 0.0.11, its aggregators on `MANY`)."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from byzantine import THREE, combine, distances, rows_of

from medfl.chain import NotFiniteError
from medfl.robustness import updates as updates_module
from medfl.robustness.bulyan import Bulyan, one_by_one
from medfl.robustness.clipping import CentredClipping, NormBounding, shortening
from medfl.robustness.geometric_median import GeometricMedian, weiszfeld
from medfl.robustness.krum import Krum, MultiKrum, krum, krum_scores, least_first
from medfl.robustness.median import CoordinateMedian, TrimmedMean, median, trimmed_mean
from medfl.robustness.mixing import buckets, nearest_neighbours

# Nine updates and two far ones.
MANY = (
    (8, 2, 3, 8),
    (1, 5, 6, -5),
    (-8, -4, -4, 7),
    (8, -9, 0, 6),
    (-7, 6, -7, -1),
    (6, -4, -3, -4),
    (4, -5, 9, -1),
    (0, 0, 2, 1),
    (0, 9, 6, 6),
    (20, 10, -15, 45),
    (-5, -25, 35, -30),
)
BYZFL = [
    (CoordinateMedian(), [1.0, 0.0, 2.0, 1.0]),
    (TrimmedMean(withstands=2), [2.0, 0.0, 10 / 7, 2.0]),
    (Krum(withstands=2), [0.0, 0.0, 2.0, 1.0]),
    (MultiKrum(withstands=2), [4 / 3, 0.0, 4 / 3, 17 / 9]),
    (GeometricMedian(), [1.14942254976, -0.18176392924, 2.10950253706, 1.49764297465]),
    (CentredClipping(radius=10), [2.01941131773, -0.37279685327, 2.06154365624, 1.97968419064]),
    (TrimmedMean(withstands=2, pre_aggregation="nnm"), [4 / 3, 0.0, 4 / 3, 17 / 9]),
]


@pytest.mark.parametrize(("rule", "expected"), BYZFL, ids=lambda one: type(one).__name__)
def test_rules_give_what_another_implementation_gives(rule, expected):
    base = torch.tensor([10.0, 20.0, 30.0, 40.0], dtype=torch.float64)
    total = combine(rule, np.add(MANY, base.tolist()), weights=range(1, 12), base=base)
    assert total.weight == 66
    assert np.allclose((total.update / 66).tolist(), expected, rtol=0, atol=1e-6)


def test_three_rows_by_hand():
    """The middle row is nearest to all; without neighbours Krum takes the first."""
    squared = distances(THREE)
    assert squared.tolist() == [[0, 27, 108], [27, 0, 27], [108, 27, 0]]
    three = rows_of(THREE)
    assert three.combined(krum(squared, 1, 1)).tolist() == [1, 2, 3]
    assert three.combined(krum(squared, 1, 2)).tolist() == [2.5, 3.5, 4.5]
    assert trimmed_mean(three, 1).tolist() == [4, 5, 6]
    assert median(three).tolist() == [4, 5, 6]
    assert torch.allclose(
        three.combined(weiszfeld(squared, 1e-6, 1e-9)), torch.tensor([4, 5, 6]).double()
    )
    mixed = three.mixed(nearest_neighbours(squared, 1))
    assert next(mixed.blocks())[1].tolist() == [[2.5, 3.5, 4.5], [2.5, 3.5, 4.5], [5.5, 6.5, 7.5]]
    norms = three.squared_norms().sqrt()
    first = next(three.blocks())[1][0] * shortening(norms, 2.0)[0]
    assert [round(value, 4) for value in first.tolist()] == [0.5345, 1.0690, 1.6036]


def test_krums_scores_by_hand():
    """Of 0, 1, 2, 3.5, 7, 8 and 90 four neighbours count: for 2 they are 1, 3.5, 0 and 7."""
    squared = distances([[0], [1], [2], [3.5], [7], [8], [90]])
    assert krum_scores(squared, 1).tolist()[:4] == [66.25, 44.25, 32.25, 33]
    assert krum(squared, 1, 1).argmax() == 2


def test_rounding_chooses_none_of_equal_scores():
    """Two of 2 differ by rounding, so the first comes first; a far update widens nothing."""
    scores = torch.tensor([2 * (1 + 1e-12), 3.0, 2.0, 1e12, 2.1], dtype=torch.float64)
    assert least_first(scores).tolist() == [0, 2, 4, 1, 3]
    assert least_first(torch.zeros(3)).tolist() == [0, 1, 2]
    assert least_first(torch.tensor([1.0, 0.0, 1e-30])).tolist() == [1, 2, 0]


def test_the_same_mixture_is_at_no_distance():
    """0.1, 0.2 and 0.3 of rows that round: any last bit between equal mixtures would show here."""
    rows = rows_of(np.random.default_rng(0).normal(size=(7, 243)).tolist())
    same = torch.tensor([0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1], dtype=torch.float64)
    mixed = rows.mixed(torch.stack([same, same.flip(0), same, same, same.flip(0), same, same]))
    found = mixed.squared_distances()
    assert found[0].gt(0).tolist() == [False, True, False, False, True, False, False]
    assert found[1].gt(0).tolist() == [True, False, True, True, False, True, True]


def test_bulyan_by_hand():
    """Krum takes 2, 3.5, 1, 7 and 0; their median is 2, and 2, 1 and 3.5 are nearest to it."""
    values = [[0], [1], [2], [3.5], [7], [8], [90]]
    assert one_by_one(distances(values), 1) == [2, 3, 1, 4, 0]
    assert combine(Bulyan(withstands=1), values).mean.item() == pytest.approx(6.5 / 3)


def test_bulyan_without_bad_updates_is_the_mean():
    """f = 0 chooses all, and of n values the n nearest to the median are all."""
    mean = np.mean(MANY, axis=0).tolist()
    assert combine(Bulyan(), MANY).mean.tolist() == pytest.approx(mean)


def test_the_geometric_median_is_where_unit_vectors_cancel():
    """The condition of its minimum, at a point that is no update."""
    at = combine(GeometricMedian(), MANY).mean
    away = torch.tensor(MANY).double() - at
    assert float((away / away.norm(dim=1, keepdim=True)).sum(dim=0).norm()) < 1e-7


def test_the_geometric_median_may_be_an_update_itself():
    """At a corner whose angle is wide the least sum lies in the corner: here 120° and more."""
    values = [[0.0, 0.0], [10.0, 1.0], [-10.0, 1.0]]
    assert combine(GeometricMedian(), values).mean.abs().max() < 1e-4
    assert combine(GeometricMedian(), [[3.0, 4.0]] * 4).mean.tolist() == pytest.approx([3, 4])


def test_centred_clipping_by_hand():
    """From zero with τ = 2: (3, 4) moves by (1.2, 1.6), (0, 1) by itself; the mean is half."""
    values = [[3.0, 4.0], [0.0, 1.0]]
    one = combine(CentredClipping(radius=2, steps=1), values)
    assert one.mean.tolist() == pytest.approx([0.6, 1.3])
    wide = combine(CentredClipping(radius=100, steps=1), values)
    assert wide.mean.tolist() == pytest.approx([1.5, 2.5])
    started = combine(CentredClipping(radius=1, steps=1, start="median"), [[0.0], [1.0], [9.0]])
    assert started.mean.tolist() == [1.0]  # −1 and 8 become −1 and 1
    started = combine(CentredClipping(radius=1, steps=1, start="mean"), [[0.0], [1.0], [8.0]])
    assert started.mean.item() == pytest.approx(3 - 1 / 3)  # from the mean 3


def test_centred_clippings_own_radius_is_the_median_distance():
    """Distances 1, 2 and 9 from zero: τ = 2, so the third moves by 2 and the mean is 5/3."""
    assert combine(CentredClipping(steps=1), [[1.0], [2.0], [9.0]]).mean.item() == pytest.approx(
        5 / 3
    )


def test_norm_bounding_by_hand():
    """Norms 1, 2 and 9 under the bound 2, weights 1, 1 and 2: (1 + 2 + 2 · 2) / 4."""
    assert combine(NormBounding(), [[1.0], [2.0], [9.0]], (1, 1, 2)).mean.item() == 1.75
    assert combine(NormBounding(bound=1), [[1.0], [2.0], [9.0]], (1, 1, 2)).mean.item() == 1
    assert combine(NormBounding(bound=50), [[1.0], [2.0], [9.0]], (1, 1, 2)).mean.item() == 5.25
    assert combine(NormBounding(), [[0.0], [0.0]]).mean.item() == 0


def test_buckets_are_means_drawn_anew():
    found = buckets(7, 2, seed=1, number=3)
    assert found.sum(dim=1).tolist() == [1.0] * 4
    assert (found > 0).sum(dim=0).tolist() == [1] * 7
    assert (found > 0).sum(dim=1).tolist() == [2, 2, 2, 1]
    assert not torch.equal(found, buckets(7, 2, seed=1, number=4))
    assert not torch.equal(found, buckets(7, 2, seed=2, number=3))
    assert torch.equal(found, buckets(7, 2, seed=1, number=3))


def test_bucketing_keeps_the_mean_in_reach():
    """Centred clipping that clips nothing gives the mean of the buckets: of equal ones the mean."""
    rule = CentredClipping(radius=1000, steps=1, pre_aggregation="bucketing")
    values = [[1.0], [5.0], [3.0], [7.0]]
    assert combine(rule, values).mean.item() == pytest.approx(4)


def test_blocks_change_no_value(monkeypatch):
    """Two columns at a time give what all at once do."""
    everyone = [rule for rule, _ in BYZFL] + [Bulyan(withstands=2), NormBounding()]
    whole = [combine(rule, MANY).mean for rule in everyone]
    monkeypatch.setattr(updates_module, "BLOCK", 22)
    for rule, expected in zip(everyone, whole, strict=True):
        assert torch.allclose(combine(rule, MANY).mean, expected, rtol=0, atol=1e-12)


def test_distances_do_not_cancel_in_single_precision():
    """Models of 1000 that differ by 2⁻¹⁰: by ‖x‖² + ‖y‖² − 2xy in float32 that would be lost."""
    base = torch.full((8,), 1000.0)
    near = rows_of([[1000.0] * 8, [1000.0 + 2**-10] * 8], torch.float32)
    assert type(near)(near.values, base, near.weights).squared_distances()[0, 1] == 8 * 2**-20


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_update_that_is_not_finite_is_refused_first(value):
    with pytest.raises(NotFiniteError, match="the part `a` of its update is not finite"):
        combine(Krum(), [[1.0], [value], [2.0]])


def test_too_few_answers_give_the_round_up(caplog):
    rule = Krum(withstands=1)
    rule.round = 7
    with caplog.at_level(logging.WARNING):
        assert combine(rule, [[1.0], [2.0], [3.0], [4.0]]) is None
    assert caplog.messages == [
        "round 7 is given up: it needs 2f + 2 < n, and f is 1 with n = 4 updates"
    ]
    assert combine(rule, [[1.0], [2.0], [3.0], [4.0], [5.0]]) is not None
