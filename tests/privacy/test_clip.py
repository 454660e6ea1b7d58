"""Norm clipping, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chains import LINKS, build, composing, runs_alike
from federations import Normed, models
from softmax import Softmax, close

from medfl.chain import PARAMETERS, Message, Part
from medfl.privacy.clip import NormClipping


def test_clipping_by_hand():
    """One norm over (3, 0) − (1, 0) and (4): √(2² + 4²); the public part stays."""
    link = NormClipping(norm=1.0)
    parts = {
        "a": Part(torch.tensor([3.0, 0.0]), 2.0, torch.tensor([1.0, 0.0])),
        "b": Part(torch.tensor([4.0]), 5.0),
        "c": Part(torch.tensor([100.0]), 1.0, private=False),
    }
    message = link.message(None, Message(0, dict(parts), 1.0, 0.0, 1, 1))
    length = 20**0.5
    assert message.parts["a"].value.tolist() == pytest.approx([1 + 2 / length, 0.0])
    assert message.parts["b"].value.tolist() == pytest.approx([4 / length])
    assert message.parts["c"] is parts["c"]
    assert [part.weight for part in message.parts.values()] == [2.0, 5.0, 1.0]
    assert message.notes == {"clipped": 1.0}
    assert parts["a"].value.tolist() == [3.0, 0.0], "the client's own vector is not changed"
    kept = link.message(None, Message(0, {"b": Part(torch.tensor([0.5]), 1.0)}, 1.0, 0.0, 1, 1))
    assert kept.parts["b"].value.item() == 0.5
    assert kept.notes == {"clipped": 0.0}


def test_rounds_with_clipping():
    trainer = build("fedavg", {"links": {"clip": {"norm": 0.2}}}, rounds=3, clients_per_round=2)
    problem = Softmax(trainer)
    x, shares = problem.start, []
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, moves = problem.participants(number), []
            for k in chosen:
                move = problem.descend(x, problem.batches(k, number)) - x
                length = np.sqrt((move**2).sum())
                shares.append(float(length > 0.2))
                moves.append(move * min(1, 0.2 / length))
            x = x + problem.share(chosen) @ np.array(moves)
        assert close(seen, x)
    assert [row["clipped"] for row in trainer.history[1:]] == [
        (shares[2 * k] + shares[2 * k + 1]) / 2 for k in range(3)
    ]
    assert any(shares)


@pytest.mark.parametrize("name", composing("clip"))
def test_a_bound_at_the_norm_itself_changes_nothing_through_the_whole_path(name, monkeypatch):
    """The bound lies just below each norm, so every update is scaled by 1 − 1e-14."""
    original, scaled = NormClipping.message, []

    def at_the_norm(self, client, message):
        norm = sum(float(p.update.square().sum()) for p in message.parts.values() if p.private)
        self.params = NormClipping.Params(norm=norm**0.5 * (1 - 1e-14))
        before = dict(message.parts)
        changed = original(self, client, message)
        scaled.append(changed.parts[PARAMETERS] is not before[PARAMETERS])
        return changed

    monkeypatch.setattr(NormClipping, "message", at_the_norm)
    runs_alike(
        build(name, model=Normed), build(name, {"links": {"clip": {}}}, model=Normed), atol=1e-12
    )
    assert all(scaled)
    assert len(scaled) == 9


def test_feddyn_keeps_what_the_server_heard():
    """g_i and h both move by what was sent, so h stays the mean of all g_i under clipping."""
    trainer = build("feddyn", LINKS["clip"], clients_per_round=2, rounds=4)
    trainer.train()
    zeros = torch.zeros_like(trainer.server.vector)
    weighted = [len(one.rows) * one.state.get("g", zeros) for one in trainer.clients]
    mean = sum(weighted) / sum(len(one.rows) for one in trainer.clients)
    h = trainer.server.algorithm.state["h"]
    assert float(h.abs().max()) > 1e-4
    assert torch.allclose(h, mean, rtol=0, atol=1e-12)
