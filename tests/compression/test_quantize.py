"""Stochastic quantisation: levels by hand, its bias, and what it sends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chains import FEDERATED, LINKS, build, runs_alike
from federations import Normed, federation
from links import watch

from medfl.chain import STATISTICS, Message, Part
from medfl.compression.quantize import StochasticQuantization


def quantized(values, bits, seed):
    link = StochasticQuantization(bits=bits)
    link.name, link.seed = "quantize", seed
    part = Part(torch.tensor(values, dtype=torch.float64), 1.0)
    client = type("Client", (), {"id": 0, "server": type("Server", (), {"round": 1})})
    return link.message(client, Message(0, {"a": part}, 1.0, 0.0, 1, 1)).parts["a"]


def test_levels_by_hand():
    """3 bits: step 6/3 = 2; 3 becomes 2 or 4, −5 becomes −4 or −6; 6, −2 and 0 are levels."""
    seen = {tuple(quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, s).value.tolist()) for s in range(50)}
    assert seen == {(6.0, up, down, -2.0, 0.0) for up in (2.0, 4.0) for down in (-4.0, -6.0)}
    assert quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, 0).bits == 5 * 3 + 32
    assert quantized([6.0, 3.0, -5.0, -2.0, 0.0], 3, 0).size == 6
    assert quantized([0.0, 0.0], 8, 0).value.tolist() == [0.0, 0.0]


def test_no_bias():
    """The mean of n draws lies within 4 standard errors; an entry's spread is at most step/2."""
    values, n = [1.0, 0.3, -0.77, 0.123], 4000
    drawn = np.array([quantized(values, 3, s).value.tolist() for s in range(n)])
    step = 1 / 3
    assert np.abs(drawn.mean(axis=0) - values).max() < 4 * step / 2 / np.sqrt(n)
    assert np.abs(drawn - values).max() < step


def test_bits_on_the_wire():
    """243 parameters take a byte each, and their step 4; 8 statistics travel as they are."""
    plain, small = (build("fedavg", c, model=Normed) for c in ({}, LINKS["quantize"]))
    plain.train(), small.train()
    assert plain.history[1]["bytes_up"] == 3 * (243 + 8) * 8
    assert small.history[1]["bytes_up"] == 3 * (243 + 4 + 8 * 8)
    assert small.history[1]["bytes_down"] == plain.history[1]["bytes_down"]
    assert 0 < small.history[1]["quantization_error"] < 0.1


def test_what_is_not_private_is_not_touched():
    """FedNova's ‖a‖ travels as it is: 8 bytes beside the quantised update and the statistics."""
    trainer = build("fednova", LINKS["quantize"], model=Normed)
    sent = watch(trainer)
    trainer.train()
    assert trainer.history[1]["bytes_up"] == 3 * (243 + 4 + 8 * 8 + 8)
    # µ = 0.5, η = 0.1: 1 + 0.95 for the two steps of the first client.
    assert sent[1][0].parts["a"].value.item() == pytest.approx(1.95)


@pytest.mark.parametrize("name", FEDERATED)
def test_very_many_levels_change_nothing_through_the_whole_path(name):
    fine = build(name, {"links": {"quantize": {"bits": 52}}}, model=Normed)
    runs_alike(build(name, model=Normed), fine, atol=1e-12)


def test_statistics_are_not_quantised():
    """Rounded to few levels beside large means, variances became negative."""
    trainer = federation(model=Normed, chain={"links": {"quantize": {"bits": 2}}}, rounds=3)
    sent = watch(trainer)
    trainer.train()
    assert trainer.status == "completed"
    assert [len(messages) for messages in sent.values()] == [3, 3, 3]
    for messages in sent.values():
        for message in messages.values():
            assert message.parts[STATISTICS].bits is None
            assert float(message.parts[STATISTICS].value[4:].min()) > 0
