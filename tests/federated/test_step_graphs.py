"""Steps as CUDA graphs: when there is one, and that it computes what single kernels do.

There is no GPU here: a graph's stand-in calls the step again, and leaves its results where the
first call left them, as a graph does. `tests/gpu` has the real ones.
"""

from __future__ import annotations

import pytest
import torch
from federations import ALGORITHMS, Dropped, Grouped, Normed, federation, models

from medfl.config import Training
from medfl.federated import step_graphs
from medfl.federated.step_graphs import FIRST, StepGraphs


class Recorder:
    """Makes stand-ins, and counts how many and how often they ran."""

    def __init__(self):
        self.made = self.ran = 0

    def __call__(self, step):
        step()  # the warm-up, which moves batch norm's statistics
        loss, gradients = step()
        self.made += 1

        def replay():
            self.ran += 1
            new_loss, new_gradients = step()
            loss.copy_(new_loss)
            for old, new in zip(gradients, new_gradients, strict=True):
                if old is not None:
                    old.copy_(new)

        return replay, (loss, gradients)


@pytest.fixture
def graphs(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(step_graphs, "_capture", recorder)
    return recorder


def trained(with_graphs, name="fedavg", **settings):
    trainer = federation(
        name.split("-")[0], ALGORITHMS[name], **{"model": Normed, "workers": 1, **settings}
    )
    trainer.server.graphs = StepGraphs(with_graphs)
    return trainer, models(trainer)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_gives_the_same_bits(graphs, name):
    plain, expected = trained(False, name)
    assert graphs.made == 0
    trainer, seen = trained(True, name)
    assert all(map(torch.equal, seen, expected))
    assert torch.equal(trainer.server.buffers, plain.server.buffers)
    # Their losses look at more than the batch.
    assert (graphs.made > 0) == (graphs.ran > 0) == (name not in ("moon", "fedlc", "fedrod"))


@pytest.mark.parametrize("settings", [{"momentum": 0.9}, {"optimizer": "adam"}, {"clip_norm": 0.1}])
def test_what_follows_the_gradient_leaves_graphs_as_they_are(graphs, settings):
    _, expected = trained(False, **settings)
    _, seen = trained(True, **settings)
    assert all(map(torch.equal, seen, expected))
    assert graphs.ran


def test_a_shape_gets_a_graph_when_it_has_come_up_often_enough(graphs):
    """Batches of 4 and, once a round, of 2: 8 + 6 samples are 4 batches of one shape or 3 + 1."""
    trained(True, sizes=(8, 6), rounds=2, batch_size=4)
    full, last = 2 * (2 + 1), 2 * 1
    assert (graphs.made, graphs.ran) == (1, full - FIRST)
    assert last <= FIRST


def test_no_more_graphs_than_there_may_be(graphs, monkeypatch):
    monkeypatch.setattr(step_graphs, "MOST", 1)
    trained(True, sizes=(8, 6), rounds=9, batch_size=4)
    assert (graphs.made, graphs.ran) == (1, 9 * 3 - FIRST)


def test_draws_on_the_processor_are_seen_and_end_graphs(graphs, caplog):
    caplog.set_level("INFO")
    _, expected = trained(False, model=Dropped)
    trainer, seen = trained(True, model=Dropped)
    assert all(map(torch.equal, seen, expected))
    assert graphs.made == 0
    assert not trainer.server.graphs.used
    assert caplog.text.count("not as CUDA graphs: a layer draws its random numbers") == 1


def test_a_network_that_cannot_be_captured_trains_kernel_by_kernel(monkeypatch, caplog):
    def refuse(step):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(step_graphs, "_capture", refuse)
    caplog.set_level("INFO")
    _, expected = trained(False)
    _, seen = trained(True)
    assert all(map(torch.equal, seen, expected))
    assert caplog.text.count("RuntimeError: operation not permitted when stream is capturing") == 1


def test_links_that_take_gradients_themselves_have_no_graphs(graphs):
    private = {"links": {"dp_image": {"noise_multiplier": 1.0}}}
    settings = {"model": Grouped, "chain": private, "local_steps": 8}
    _, expected = trained(False, **settings)
    _, seen = trained(True, **settings)
    assert all(map(torch.equal, seen, expected))
    assert graphs.made == 0


def test_there_are_none_without_a_gpu_nor_with_own_code():
    assert not federation(model=Normed).server.graphs.used
    assert Training(cuda_graphs=False).cuda_graphs == "off"
