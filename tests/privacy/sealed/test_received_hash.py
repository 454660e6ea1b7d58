"""All that clients receive is one hash: what a server sends to some of them alone is noticed."""

from __future__ import annotations

import hashlib
import logging
import struct

import pytest
import torch
from chains import LINKS, build
from federations import Normed


def sha256_of(*tensors) -> bytes:
    """By hashlib alone: a name, then of each tensor its bytes behind their number."""
    digest = hashlib.sha256(b"medfl model")
    for tensor in tensors:
        data = tensor.numpy().tobytes()
        digest.update(struct.pack("<Q", len(data)) + data)
    return digest.digest()


def opened(link, algorithm):
    """A run of two rounds: for each the hash with which it was opened, and what was sent down."""
    trainer = build(algorithm, LINKS[link], model=Normed, sizes=(8, 16, 12, 6), rounds=2)
    seen, rounds, server = [], trainer.server.chain.links[0]._rounds, trainer.server
    original = rounds.open

    def open_round(number, clients, model):
        sent = {name: part.value.clone() for name, part in server.download().items()}
        seen.append((model, sent))
        return original(number, clients, model)

    rounds.open = open_round
    trainer.train()
    return seen


@pytest.mark.parametrize("link", ["secure_aggregation", "ckks"])
def test_scaffolds_control_variate_is_in_the_hash(link):
    """With a c of its own one client would take other steps: as bad as with a model of its own."""
    for model, sent in opened(link, "scaffold"):
        assert sorted(sent) == ["c", "parameters", "statistics"]
        assert model == sha256_of(sent["c"], sent["parameters"], sent["statistics"])
        assert model != sha256_of(sent["parameters"], sent["statistics"])
        for name in sent:
            other = {**sent, name: sent[name].clone()}
            other[name][0] += 1e-6
            assert model != sha256_of(other["c"], other["parameters"], other["statistics"])


@pytest.mark.parametrize("link", ["secure_aggregation", "ckks"])
def test_without_one_it_is_that_of_the_model(link):
    for model, sent in opened(link, "fedavg"):
        assert sorted(sent) == ["parameters", "statistics"]
        assert model == sha256_of(sent["parameters"], sent["statistics"])


def test_a_bound_of_a_part_that_is_not_sent_is_warned_of_once(caplog):
    chain = {"links": {"secure_aggregation": {"bounds": {"batch_norm": 10.0}}}}
    trainer = build("fedavg", chain, sizes=(8, 16, 12, 6), rounds=2)
    with caplog.at_level(logging.WARNING):
        trainer.train()
    said = [text for text in caplog.messages if "batch_norm" in text]
    words = "bounds has batch_norm, and clients send no such part: they send parameters, statistics"
    assert said == [f"secure_aggregation: {words}"]
    assert torch.isfinite(trainer.server.vector).all()


@pytest.mark.parametrize("link", ["secure_aggregation", "ckks"])
def test_a_bound_that_cuts_most_coordinates_is_warned_of_once(link, caplog):
    def said(bound):
        caplog.clear()
        chain = {"links": {link: {"bound": bound}}}
        trainer = build("fedavg", chain, sizes=(8, 16, 12, 6), rounds=2)
        with caplog.at_level(logging.WARNING):
            trainer.train()
        share = max(row["outside_bound"] for row in trainer.history if row["round"])
        return share, [text for text in caplog.messages if "outside their bound" in text]

    share, words = said(1e-6)
    assert share > 0.5
    assert len(words) == 1
    assert words[0].startswith(f"{link}: ")
    assert "raise bound" in words[0]
    assert said(100.0) == (0.0, [])
