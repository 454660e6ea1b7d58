"""What a hospital never seen is judged by under algorithms whose clients keep something personal.

Each expectation is put together here, from what the server and the clients have at the end.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import Normed
from test_unseen import HOSPITALS, SIZES, answers, entries, left_out, others, own_entries, said

from medfl.federated.outcome import run_metrics

SHARES = [size / sum(SIZES) for size in SIZES]  # of training samples, by which is averaged
PARAMS = {"mrmtl": {"lam": 0.5}, "fedala": {"window": 2, "first_passes": 4, "share": 1.0}}


def trained(algorithm, **settings):
    trainer = left_out(algorithm, params=PARAMS.get(algorithm, {}), **settings)
    trainer.train()
    return trainer


def check(trainer, state, by):
    """What is said there is what a network of these entries says, and the record names it."""
    np.testing.assert_allclose(said(trainer), answers(trainer, state), rtol=0, atol=1e-6)
    assert run_metrics(trainer)["unseen_by"] == by


@pytest.mark.parametrize("algorithm", ["mrmtl", "apfl", "fedrod", "fedala"])
def test_the_server_s_model_judges_and_no_client_s_own(algorithm):
    trainer = trained(algorithm)
    server = trainer.server
    server.load(server.model, server.vector, server.buffers)
    check(trainer, entries(server.model), "server")
    # What any hospital uses itself would say something else.
    for state in own_entries(trainer).values():
        assert np.abs(said(trainer) - answers(trainer, state).numpy()).max() > 1e-3


def test_mrmtl_s_server_has_the_mean_of_what_hospitals_use_themselves():
    trainer = trained("mrmtl")
    own = own_entries(trainer)
    mean = {
        name: sum(p * own[k][name] for p, k in zip(SHARES, HOSPITALS, strict=True))
        for name in own[0]
        if own[0][name].is_floating_point()
    }
    mean["body.1.num_batches_tracked"] = own[0]["body.1.num_batches_tracked"]
    check(trainer, mean, "server")


def test_of_silobn_the_statistics_are_averaged_and_the_weights_of_batch_norm_are_shared():
    trainer = trained("silobn")
    own = own_entries(trainer)
    expected = dict(own[0])
    for name in ("body.1.running_mean", "body.1.running_var"):
        expected[name] = sum(p * own[k][name] for p, k in zip(SHARES, HOSPITALS, strict=True))
        assert not torch.equal(expected[name], own[0][name])
    # All else is the same in every hospital: it is the server's.
    for k in HOSPITALS[1:]:
        assert all(
            torch.equal(own[0][name], own[k][name]) for name in own[0] if "running" not in name
        )
    check(trainer, expected, "average")


@pytest.mark.parametrize("algorithm", ["fedper", "fedrep"])
def test_the_mean_of_linear_heads_gives_the_mean_of_their_logits(algorithm):
    trainer = trained(algorithm)
    images = trainer.data.inputs(trainer.data.indices(1, "test"))
    logits = []
    for state in own_entries(trainer).values():
        network = Normed().double()
        network.load_state_dict(state)
        network.eval()
        with torch.no_grad():
            logits.append(network(images))
    mean = sum(p * one for p, one in zip(SHARES, logits, strict=True))
    np.testing.assert_allclose(said(trainer), torch.softmax(mean, dim=1), rtol=0, atol=1e-6)
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    assert run_metrics(trainer)["unseen_by"] == "average"


def test_equal_weights_make_an_equal_mean_of_heads():
    trainer = trained("fedper", weighting="uniform")
    own = own_entries(trainer)
    expected = dict(own[0])
    for name in ("head.weight", "head.bias"):
        expected[name] = sum(own[k][name] for k in HOSPITALS) / 3
    check(trainer, expected, "average")


@pytest.mark.parametrize(
    "algorithm", ["silobn", "fedper", "fedrep", "mrmtl", "apfl", "fedrod", "fedala"]
)
def test_what_is_personal_learns_nothing_of_the_unseen_hospital(algorithm):
    params = PARAMS.get(algorithm, {})
    one = left_out(algorithm, params=params)
    two = left_out(algorithm, others, params=params)
    for trainer in (one, two):
        trainer.train()
    torch.testing.assert_close(one.server.vector, two.server.vector, rtol=0, atol=0)
    for mine, theirs in zip(one.clients, two.clients, strict=True):
        assert mine.state.keys() == theirs.state.keys()
        for name in mine.state:
            torch.testing.assert_close(mine.state[name], theirs.state[name], rtol=0, atol=0)
    assert one.last[1].pooled["val"] == two.last[1].pooled["val"]
    assert one.last[1].pooled["test"] != two.last[1].pooled["test"]
