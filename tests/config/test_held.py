"""Which numbers parameters hold, worked out by hand: 3.4028235e38 is single precision's largest."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from medfl.config import SINGLE, Held, Section, Strength, check_strengths, large_numbers, overflowed
from medfl.errors import MedflError

DOUBLE = 1.7976931348623157e308


class Settings(Section):
    rate: Strength = Field(0.1, gt=0)
    own_rate: Strength | None = None
    square: Annotated[float, Held(2)] = 1.0
    divided: Annotated[float, Held(), Held(-1)] = 1.0
    scales: dict[str, Strength] = Field(default_factory=dict)
    limit: float = 1.0  # is compared, and multiplies nothing


def test_single_precision_ends_where_pytorchs_does():
    import torch

    assert torch.finfo(torch.float32).max == SINGLE


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate": 3.5e38}, "`run.rate` is 3.5e.38, and .* up to 3.4e.38, cannot hold it: take a s"),
        ({"own_rate": 1.7e308}, "`run.own_rate` is 1.7e.308"),
        ({"scales": {"a": 1.0, "b": 1e39}}, "`run.scales.b` is 1e.39"),
        ({"square": 2e19}, "`run.square` is 2e.19, .* cannot hold its square: take a smaller one"),
        ({"divided": 1e-46}, "`run.divided` is 1e-46, .* hold 1 divided by it: take a larger one"),
        ({"divided": 1e39}, "`run.divided` is 1e.39, .* cannot hold it: take a smaller one"),
    ],
)
def test_a_number_that_single_precision_cannot_hold_is_named(given, said):
    with pytest.raises(MedflError, match=said):
        check_strengths(Settings(**given), SINGLE, "run.")
    check_strengths(Settings(**given), DOUBLE, "run.")  # where 4e38 and 1e46 are numbers


@pytest.mark.parametrize(
    "given",
    # (1.8e19)² is 3.24e38, and 1/(3e-39) is 3.3e38.
    [{"rate": 3.4e38}, {"square": 1.8e19}, {"divided": 3e-39}, {"limit": 1.7e308}, {}],
)
def test_others_are_held(given):
    check_strengths(Settings(**given), SINGLE, "run.")


def test_large_numbers_are_found_by_their_keys():
    content = {"training": {"learning_rate": 1e38, "momentum": 0.9}, "chain": {"x": {"y": -2e15}}}
    content["seed"] = 10**18  # a whole number that multiplies nothing
    found = list(large_numbers(content))
    assert found == ["`training.learning_rate` is 1e+38", "`chain.x.y` is -2e+15"]


def test_it_is_known_how_pytorch_and_python_say_that_a_number_is_too_large():
    import torch

    with pytest.raises(RuntimeError) as of_torch:
        torch.zeros(2).add_(torch.zeros(2), alpha=1e39)
    with pytest.raises(OverflowError) as of_python:
        _ = 10.0**400
    assert overflowed(of_torch.value)
    assert overflowed(of_python.value)
    assert not overflowed(RuntimeError("another"))
    assert not overflowed(ValueError("Numerical result out of range"))
