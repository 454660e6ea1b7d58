"""The simulated client is the engine's own, and the optimisation finds what it can."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attack_federations import attacked, federate_small
from torch import nn

from medfl.config.attack import NOISE, Optimisation
from medfl.models.flat import FlatModel
from medfl.privacy.attacks.cases import BATCHES, STATISTICS_SENT, Case
from medfl.privacy.attacks.optimised import cosine, total_variation
from medfl.privacy.attacks.simulated import (
    LocalTraining,
    SimulatedClient,
    running_shares,
    taken_in,
)


@pytest.mark.parametrize("normalization", ["batch", "group"])
@pytest.mark.parametrize("steps", [1, 3])
def test_the_simulated_client_sends_what_the_engines_client_sent(normalization, steps):
    """Parameters and, through what running averages have taken in, batch-norm statistics."""
    federation, images, labels, training = federate_small({}, "cnn", 4, steps, normalization)
    seen, server = federation.seen, federation.server
    server.shared.put(server.model, seen.before, seen.statistics_before)
    client = SimulatedClient(server.model, training)
    for number in range(len(images)):
        sent = client.sent(images[number], labels[number])
        theirs = server.model.views(seen.models[number] - seen.before)
        apart = [
            float((a - b).detach().norm() ** 2) for a, b in zip(sent.update, theirs, strict=True)
        ]
        length = float((seen.models[number] - seen.before).norm())
        assert sum(apart) ** 0.5 < 1e-3 * length  # single precision, behind batch norm
        if normalization == "batch":
            # Float32 holds a running average to 1e-7, and m = .1 divides by that.
            told = taken_in(seen.statistics_before, seen.statistics[number], 0.1, steps)
            assert torch.allclose(sent.statistics, told, rtol=1e-4, atol=1e-5)
        else:
            assert len(sent.statistics) == 0


def test_statistics_are_those_of_each_layers_input_by_hand():
    """A batch norm that gets 1 and 5: mean 3, variance with n − 1 8."""
    net = FlatModel(nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 2)))
    client = SimulatedClient(net, LocalTraining(1, 0.1, nn.functional.cross_entropy))
    sent = client.sent(torch.tensor([[1.0], [5.0]]), torch.tensor([0, 1]))
    assert sent.statistics.tolist() == [3.0, 8.0]


def test_what_a_running_average_has_taken_in_by_hand():
    """Twice 5 after 1 with m = .1: .9 + .5 = 1.4, 1.26 + .5 = 1.76; (1.76 − .81) / .19 = 5."""
    taken = taken_in(torch.tensor([1.0]), torch.tensor([1.76]), 0.1, 2)
    assert taken.item() == pytest.approx(5.0, abs=1e-5)
    assert running_shares(0.1, 2) == pytest.approx([0.09 / 0.19, 0.1 / 0.19])


def test_cosine_leaves_out_what_is_not_sent():
    one = [torch.tensor([3.0, 0.0]), torch.tensor([4.0])]
    other = [torch.tensor([1.0, 0.0]), torch.tensor([0.0])]
    assert cosine(one, other, [True, True]).item() == pytest.approx(0.6)
    assert cosine(one, other, [True, False]).item() == pytest.approx(1.0)


def test_total_variation_by_hand():
    """Rows differ by 2 each, columns by 1 each: 2 + 1."""
    image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    assert total_variation(image).item() == 3.0


def attack(links, iterations=400, seed=0, **case):
    settings = Optimisation(iterations=iterations, total_variation=0.0)
    small = federate_small(links, "mlp", 1)
    return attacked(small, Case(BATCHES, "here", 1, "mlp", **case), settings, seed)


def test_optimisation_finds_an_image_and_loses_it_in_noise():
    """The image that the exact attack finds is found from other layers too, but not under noise."""
    clear, noisy = attack({}), attack({NOISE: {"ratio": 10.0}})
    assert clear.images[0].psnr > 25
    assert clear.objective < 0.01
    assert noisy.images[0].psnr < 14
    assert noisy.objective > 0.5


def test_the_same_seed_gives_the_same_picture_and_another_seed_another():
    one, same, other = (attack({}, 5, seed).images[0].found for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_restarts_keep_the_best_attempt():
    def best(restarts):
        settings = Optimisation(iterations=20, restarts=restarts)
        small = federate_small({}, "mlp", 1)
        return attacked(small, Case(BATCHES, "here", 1, "mlp"), settings).objective

    one, three = best(1), best(3)
    assert three <= one


@pytest.mark.parametrize("kind", ["running", "own"])
def test_statistics_that_are_seen_are_part_of_the_objective(kind):
    """At the first guess the objective with them is larger: they do not fit noise."""
    small = federate_small({}, "cnn", 2)

    def objective(statistics):
        case = Case(STATISTICS_SENT, "here", 2, "cnn", "batch", statistics)
        return attacked(small, case, Optimisation(iterations=1)).objective

    assert objective(kind) > objective("none") + 1e-3


def test_the_sum_is_attacked_with_every_clients_images():
    masks = {"secure_aggregation": {"bound": 1.0}}
    small = federate_small(masks, "cnn", 1, normalization="group")
    told = []
    settings = Optimisation(iterations=3)
    inverted = attacked(small, Case(BATCHES, "here", 1, "cnn"), settings, told=told.append)
    assert inverted.seen == "sum"
    assert len(inverted.images) == 1  # the victim's, among three that were sought
    assert told == [1, 1, 1]


def test_what_stays_local_is_not_used():
    """Under FedBN neither the parameters of batch norm nor its statistics travel."""
    small = federate_small({}, "cnn", 2, algorithm="fedbn")
    federation = small.federation
    assert len(federation.seen.before) < len(federation.server.model.vector)
    inverted = attacked(small, Case(STATISTICS_SENT, "here", 2, "cnn", "batch"))
    assert np.isfinite(inverted.objective)
