"""Evaluating every round, or only at the end: the same weights, bit for bit."""

from __future__ import annotations

import pytest
import torch
from federations import ALGORITHMS, HEADED, Dropped, Normed, comparable, federation


def final(name, model, every):
    trainer = federation(
        name.split("-")[0],
        ALGORITHMS[name],
        model=model,
        rounds=4,
        evaluate_every=every,
        clients_per_round=2,
        lr_schedule="cosine",
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize("model", [Normed, Dropped])
@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_evaluation_moves_no_weight(name, model):
    if name in HEADED and model is Dropped:
        pytest.skip("it needs a model with a head")
    often, seldom = final(name, model, 1), final(name, model, 4)
    assert torch.equal(often.server.vector, seldom.server.vector)
    assert torch.equal(often.server.buffers, seldom.server.buffers)
    for a, b in zip(often.clients, seldom.clients, strict=True):
        assert a.state.keys() == b.state.keys()
        assert all(torch.equal(a.state[key], b.state[key]) for key in a.state)
    # The last evaluation is the same, too: a tuned model does not depend on earlier ones.
    assert comparable(often.history)[-1] == comparable(seldom.history)[-1]
    assert often.client_history[-6:] == seldom.client_history[-6:]


def test_evaluating_twice_gives_the_same():
    for name in ("finetune", "ditto", "fedavg"):
        trainer = final(name, Dropped, 4)
        before = trainer.server.vector.clone()
        assert trainer.evaluate_global_model() == trainer.evaluate_global_model()
        assert torch.equal(trainer.server.vector, before)


def test_the_saved_model_does_not_depend_on_evaluations(tmp_path):
    from medfl.federated.outcome import write_model

    for every in (1, 4):
        write_model(tmp_path / f"{every}.safetensors", final("finetune", Normed, every))
    one, other = (tmp_path / f"{every}.safetensors" for every in (1, 4))
    assert one.read_bytes() == other.read_bytes()


def test_the_saved_model_is_the_servers(tmp_path):
    from safetensors.torch import load_file

    from medfl.federated.outcome import write_model

    trainer = final("finetune", Normed, 4)  # the last to use the network tuned it
    write_model(tmp_path / "model.safetensors", trainer)
    fresh = Normed().double()
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))
    vector = torch.nn.utils.parameters_to_vector(fresh.parameters())
    assert torch.equal(vector, trainer.server.vector)
