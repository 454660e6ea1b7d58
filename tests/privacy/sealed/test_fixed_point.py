"""Fixed point: hand-worked integers, a range that is proved, rounding that is right on average."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from medfl import MedflError
from medfl.privacy.sealed.fixed_point import widest_values
from medfl.privacy.secure_aggregation import FixedPoint


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_values_on_the_grid_by_hand():
    """4 bits: levels ± 7, so that 0.7 is 7 and the step 0.1; times the weight 3."""
    point = FixedPoint(bound=0.7, clients=4, value_bits=4, weight_bits=3)
    update = np.array([0.7, -0.7, 0.0, 5.0, -9.0, 0.1 * (1 / 3)])
    encoded = point.encode(update, 3.0, generator())
    assert encoded.vector.dtype == np.uint32
    assert encoded.vector[:5].tolist() == [21, 2**32 - 21, 0, 21, 2**32 - 21]
    assert encoded.vector[5] in (1, 2)  # 0.1 / 3 · 3 / 0.1 = 1, up to the last bit of a double
    assert encoded.vector[-1] == 3
    assert encoded.clipped == pytest.approx(2 / 6)
    assert point.step == pytest.approx(0.1)


def test_a_weighted_mean_by_hand():
    """(2 · 0.5 + 6 · (−0.25)) / 8 = −0.0625, whatever the rounding to within n s / Σ w."""
    point = FixedPoint(bound=1.0, clients=2, value_bits=16, weight_bits=4)
    one = point.encode(np.array([0.5, 1.0]), 2, generator(1)).vector
    two = point.encode(np.array([-0.25, 1.0]), 6, generator(2)).vector
    mean, weight = point.decode(one + two)
    assert weight == 8
    assert abs(mean[0] + 0.0625) <= 2 * point.step / 8
    assert mean[1] == 1.0


def test_rounding_is_one_of_both_neighbours_and_right_on_average():
    point = FixedPoint(bound=7.0, clients=2, value_bits=4, weight_bits=1)
    update = np.full(40_000, 2.3, np.float32)
    found = point.encode(update, 1, generator()).vector[:-1]
    assert set(found.tolist()) == {2, 3}
    assert abs(found.mean() - 2.3) < 4 * math.sqrt(0.3 * 0.7 / 40_000)
    below = point.encode(-update, 1, generator()).vector[:-1].view("<i4")
    assert set(below.tolist()) == {-3, -2}
    # One coordinate's draw says nothing of the next one's.
    ups = (found == 3).astype(float) - 0.3
    assert abs((ups[1:] * ups[:-1]).mean()) < 4 * 0.21 / math.sqrt(40_000)


def test_numbers_beyond_all_bounds_are_clipped_without_a_warning():
    point = FixedPoint(bound=1e-30, clients=2)
    update = np.array([1e308, -1e308, 1e-30])
    encoded = point.encode(update, 4095, generator())
    top = 32767 * 4095
    assert encoded.vector[:-1].view("<i4").tolist() == [top, -top, top]
    assert encoded.clipped == pytest.approx(2 / 3)


def test_the_generator_alone_decides_and_serves_each_coordinate():
    point = FixedPoint(bound=1.0, clients=2)
    update = generator(3).uniform(-1, 1, 30_000).astype(np.float32)
    first, again = (point.encode(update, 5, generator(1)).vector for _ in range(2))
    other = point.encode(update, 5, generator(2)).vector
    assert (first == again).all()
    # Two draws differ with 2 f (1 − f) at the fraction f, on average over all f by a third.
    assert abs((first != other).mean() - 1 / 3) < 0.02
    streams = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    drawn = [point.encode(torch.from_numpy(update), 5, stream).vector for stream in streams]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize("bits", [32, 64])
def test_the_largest_updates_of_as_many_clients_as_allowed_stay_in_the_ring(bits):
    """16 + 12 + 4 bits for 16 clients are 32: 16 · 32767 · 4095 = 2 146 893 840 < 2³¹."""
    point = FixedPoint(bound=3.0, clients=16, ring_bits=bits)
    for sign in (1, -1):
        vector = point.encode(np.array([sign * 99.0]), 4095, generator()).vector
        total = vector * vector.dtype.type(16)
        assert int(total[:1].view(f"<i{bits // 8}")[0]) == sign * 2_146_893_840
        mean, weight = point.decode(total)
        assert mean[0] == pytest.approx(sign * 3.0)
        assert weight == 16 * 4095


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clients": 17}, "16 + weight_bits 12 + 5 for 17 clients are 33, and ring_bits is 32"),
        ({"clients": 17}, "Take value_bits: 15, or ring_bits: 64"),
        ({"value_bits": 17}, "are 33, and ring_bits is 32"),
        ({"clients": 2**31}, "Take fewer weight_bits, or ring_bits: 64"),
        ({"ring_bits": 64, "value_bits": 40, "clients": 2**13}, "or fewer clients"),
        ({"ring_bits": 64, "value_bits": 43}, "more than the 54"),
        ({"bound": 0.0}, "bound must be a number from 1e-100 to 1e+100, not 0.0"),
        ({"bound": math.nan}, "bound must be a number from 1e-100"),
        ({"bound": math.inf}, "bound must be a number from 1e-100"),
        ({"bound": 1e-310}, "bound must be a number from 1e-100"),  # levels / bound is infinite
        ({"weight_unit": -1.0}, "weight_unit must be a number from 1e-100"),
        ({"weight_unit": 1e-320}, "weight_unit must be a number from 1e-100"),
        ({"value_bits": 1}, "value_bits must be at least 2"),
        ({"weight_bits": 0}, "weight_bits must be at least 1"),
        ({"ring_bits": 16}, "ring_bits must be 32 or 64"),
    ],
)
def test_a_range_that_is_not_proved_is_refused(changes, words):
    with pytest.raises(MedflError, match=re.escape(words)):
        FixedPoint(**{"bound": 1.0, "clients": 16, **changes})


@pytest.mark.parametrize("bound", [1e-100, 1e100])
def test_the_ends_of_what_a_bound_may_be_are_exact_too(bound):
    """With 2 bits a coordinate is −1, 0 or 1 times the bound, and weighs 4095."""
    point = FixedPoint(bound, 16, value_bits=2)
    encoded = point.encode(np.array([bound, -bound, 0.0]), 4095, generator())
    assert encoded.vector.view("<i4").tolist() == [4095, -4095, 0, 4095]
    mean, weight = point.decode(encoded.vector)
    assert (mean.tolist(), weight) == (pytest.approx([bound, -bound, 0.0], abs=0), 4095)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_what_is_not_finite_is_refused_before_a_draw(wrong, kind):
    drawn = generator()
    before = drawn.bit_generator.state
    with pytest.raises(MedflError, match="NaN or infinite"):
        FixedPoint(1.0, 4).encode(kind([0.5, wrong]), 1, drawn)
    assert drawn.bit_generator.state == before


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (0.0, "below half a weight_unit"),
        (-3.0, "below half"),
        (math.nan, "no number"),
        (4096.0, "above 4095"),
        (3.3, "rounded by more than 0.1%"),
    ],
)
def test_a_weight_out_of_range_is_refused_without_telling_it(weight, words):
    with pytest.raises(MedflError, match=words) as error:
        FixedPoint(1.0, 4).encode(np.array([0.5]), weight, generator())
    assert "4096" not in str(error.value)


def test_weights_in_other_units():
    """0.3 in units of 0.01 is 30; the weight in the ring is the one that multiplies."""
    point = FixedPoint(1.0, 2, value_bits=8, weight_bits=8, weight_unit=0.01)
    one = point.encode(np.array([1.0]), 0.3, generator()).vector
    two = point.encode(np.array([-1.0]), 0.10005, generator()).vector
    assert (one[-1], two[-1]) == (30, 10)
    mean, weight = point.decode(one + two)
    assert mean[0] == pytest.approx((30 - 10) / 40)
    assert weight == pytest.approx(0.4)


@pytest.mark.parametrize(("clients", "ring_bits"), [(1, 32), (3, 32), (16, 32), (1000, 64)])
def test_the_widest_values_are_allowed_and_wider_ones_are_not(clients, ring_bits):
    widest = widest_values(clients, 12, ring_bits)
    assert widest == {1: 20, 3: 18, 16: 16, 1000: 42}[clients]
    FixedPoint(1.0, clients, widest, 12, ring_bits)
    with pytest.raises(MedflError, match=r"sums may leave|more than the 54"):
        FixedPoint(1.0, clients, widest + 1, 12, ring_bits)


def test_whole_numbers_travel_as_they_are():
    """n = 10: numbers to ⌊(2³¹ − 1)/10⌋ = 214 748 364 go through, above they could wrap around."""
    point = FixedPoint(1.0, 10)
    values = np.array([0, 5, -5, 214_748_364, -214_748_364])
    vector = point.encode_integers(values, 1)
    sums, weight = point.decode_integers(vector * np.uint32(10))
    assert sums.tolist() == [0, 50, -50, 2_147_483_640, -2_147_483_640]
    assert weight == 10
    for number in (214_748_365, -214_748_365):
        with pytest.raises(MedflError, match="above 214748364 in size"):
            point.encode_integers(np.array([number]), 1)
    with pytest.raises(MedflError, match="whole numbers"):
        point.encode_integers(np.array([0.5]), 1)


@pytest.mark.parametrize("wrong", [[0.5], np.array([1, 2]), np.zeros((2, 2)), None])
def test_what_is_no_vector_is_refused(wrong):
    with pytest.raises(MedflError, match="vector of floating point"):
        FixedPoint(1.0, 4).encode(wrong, 1, generator())


def test_decoding_is_the_exact_mean_of_what_was_rounded():
    """The identity 7 of secure aggregation: dequantised ≡ Σ of the quantised, within n steps."""
    point, drawn = FixedPoint(0.5, 5), generator(7)
    updates = drawn.normal(0, 0.3, (5, 1000)).astype(np.float32)
    weights = [3.0, 700.0, 51.0, 4095.0, 1.0]
    encoded = [point.encode(u, w, drawn) for u, w in zip(updates, weights, strict=True)]
    total = sum((e.vector for e in encoded[1:]), encoded[0].vector)
    mean, weight = point.decode(total)
    plain = np.clip(updates.astype(np.float64), -0.5, 0.5)
    exact = np.average(plain, axis=0, weights=weights)
    assert weight == sum(weights)
    assert np.abs(mean - exact).max() <= 5 * point.step / weight
    shares = [(np.abs(update) > 0.5).mean() for update in updates]
    assert [e.clipped for e in encoded] == pytest.approx(shares)
