"""SiloBN, FedPer and FedRep: parts of the network that stay with their client."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from federations import Grouped, Linear, Normed, Parted, federation, models
from softmax import Parted as Problem
from softmax import close
from torch import nn

from medfl.algorithms import ALGORITHMS
from medfl.algorithms.fedper import FedPer
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics
from medfl.models import build_model


class Headless(nn.Sequential):
    """A network with a head that trains nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(36, 3), nn.Flatten()


class HeadAlone(nn.Module):
    """A network that is nothing but its head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(36, 3)

    def forward(self, images):
        return self.head(images.flatten(1))


def personal(trainer, client):
    trainer.server.algorithm.personal_model(trainer.clients[client], trainer.server.model)
    return trainer.server.model.vector.clone()


@pytest.mark.parametrize(
    ("name", "params", "head"), [("fedper", {}, None), ("fedrep", {}, 1), ("fedrep", {}, 3)]
)
def test_a_head_of_ones_own_by_hand(name, params, head):
    """Two of three clients a round. FedPer moves both parts at once, FedRep one after the other."""
    params = {"head_epochs": head} if head == 3 else params
    trainer = federation(name, params, model=Parted, clients_per_round=2)
    problem = Problem(trainer)
    d, start = problem.body, problem.start
    of_body = np.arange(len(start)) < d
    body, heads, taken = start[:d], {}, []
    for number, seen in enumerate(models(trainer)):
        if number:
            chosen, bodies = problem.participants(number), []
            for k in chosen:
                steps = [(1.0, rows) for rows in problem.batches(k, number)]
                if head:
                    first = problem.batches(k, number, "head", epochs=head)
                    steps = [(~of_body, rows) for rows in first] + [(of_body, r) for _, r in steps]
                theta = np.concatenate([body, heads.get(k, start[d:])])
                for trained, rows in steps:
                    theta = theta - 0.1 * trained * problem.gradient(theta, rows)
                bodies.append(theta[:d])
                heads[k] = theta[d:]
                taken.append(len(steps))
            body = problem.share(chosen) @ np.array(bodies)
        assert close(seen, body)
    for k in range(3):
        own = np.concatenate([body, heads.get(k, start[d:])])
        assert close(personal(trainer, k), own), "before its first round it has the first head"
    rows = trainer.history
    assert sum(row["steps"] for row in rows) == sum(row["gradients"] for row in rows) == sum(taken)
    assert rows[1]["bytes_up"] == rows[1]["bytes_down"] == 2 * 8 * d, "no head travels"
    assert len({tuple(one) for one in heads.values()}) == len(heads) >= 2
    said = {None: None, 1: "its head as much, before the rest", 3: "its head 3 passes, before the"}
    assert (run_metrics(trainer)["extra_work"] or "").startswith(said[head] or "")


def test_with_no_part_that_stays_fedper_is_fedavg(monkeypatch):
    monkeypatch.setattr(FedPer, "local_names", lambda self, model: set())
    pair = [models(federation(name, model=Normed)) for name in ("fedper", "fedavg")]
    assert all(map(torch.equal, *pair))


def test_with_a_head_that_never_moves_fedrep_is_fedavg_of_the_body():
    """At 0 passes no head leaves its first values, as if the network had it fixed."""

    class Fixed(Normed):
        def __init__(self):
            super().__init__()
            self.head.requires_grad_(False)

    rep = federation("fedrep", {"head_epochs": 0}, model=Normed)
    plain = federation("fedavg", model=Fixed)
    for one, other in zip(models(rep), models(plain), strict=True):
        assert torch.equal(one, other[: len(one)])
    assert torch.equal(personal(rep, 1), plain.server.vector)
    assert all(p.requires_grad for p in rep.server.model.module.parameters())


def test_silobn_trains_what_fedavg_does_and_each_client_keeps_its_statistics():
    """Training looks at the batch's own statistics, so only what is evaluated differs."""
    trainer = federation("silobn", model=Normed, clients_per_round=2)
    plain = federation("fedavg", model=Normed, clients_per_round=2)
    problem, seen = Problem(trainer), models(trainer)
    assert all(map(torch.equal, seen, models(plain)))
    # 2 clients, 8 bytes: the mean and variance of 4 channels do not travel, the weights do.
    assert plain.history[1]["bytes_up"] - trainer.history[1]["bytes_up"] == 2 * 8 * 8
    own = [copy.deepcopy(federation(model=Normed).server.model.module).train() for _ in range(3)]
    for number in range(1, 4):
        for k in problem.participants(number):
            parameters = list(own[k].parameters())
            nn.utils.vector_to_parameters(seen[number - 1].clone(), parameters)
            for rows in problem.batches(k, number):
                images, labels = trainer.data.batch(torch.from_numpy(rows))
                loss = nn.functional.cross_entropy(own[k](images), labels)
                steps = torch.autograd.grad(loss, parameters)
                with torch.no_grad():
                    torch._foreach_sub_(parameters, [0.1 * step for step in steps])
    for k, module in enumerate(own):
        assert torch.equal(personal(trainer, k), seen[-1])
        statistics = torch.cat([module.body[1].running_mean, module.body[1].running_var])
        assert torch.allclose(trainer.server.model.buffers, statistics, rtol=0, atol=1e-10)
    assert run_metrics(trainer)["everyone_by"] == "clients"
    assert trainer.server.objective.endswith("statistics of batch norm are each client's own")


@pytest.mark.parametrize("name", ["silobn", "fedbn"])
def test_without_batch_norm_nothing_stays_and_the_record_says_so(name):
    trainer = federation(name, model=Grouped)
    assert trainer.server.complete
    assert trainer.server.objective.endswith("no batch norm: nothing stays local")


NETWORKS = [
    ("cnn", (32, 32), {}, "head", 64),
    ("mlp", (32, 32), {}, "head", 64),
    ("cnn", (16, 16, 16), {}, "head", 64),
    ("cnn", (32, 32), {"branches": (1, 1)}, "head", 128),
    ("resnet18", (32, 32), {}, "head", 512),
    ("resnet18", (16, 16, 16), {}, "head", 512),
    ("densenet121", (32, 32), {}, "head", 1024),
    ("efficientnet_b0", (32, 32), {}, "head.1", 1280),
]


@pytest.mark.parametrize(("name", "sides", "options", "head", "features"), NETWORKS)
def test_what_stays_of_each_network(name, sides, options, head, features):
    """Names and sizes are written down here; batch norms are found by another way of walking."""
    channels = len(options.get("branches", (1,)))
    with torch.device("meta"):
        net = build_model(name, 3, channels, sides, **options)
    model = SimpleNamespace(module=net)
    entries = dict(net.named_parameters())
    for kind in ("fedper", "fedrep"):
        local = ALGORITHMS.load(kind)().local_names(model)
        assert local == {f"{head}.weight", f"{head}.bias"}
        assert sum(entries[one].numel() for one in local) == 3 * features + 3
    norms = [
        place
        for place, layer in net.named_modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm)
    ]
    expected = {f"{place}.{one}" for place in norms for one in ("running_mean", "running_var")}
    assert ALGORITHMS.load("silobn")().local_names(model) == expected
    assert bool(expected) == (name != "mlp")


@pytest.mark.parametrize(
    ("name", "network", "words"),
    [
        ("fedper", Linear, "this network has no `head`: give it its classifier under that name"),
        ("fedrep", Headless, "`head` has no parameters"),
        ("fedrep", HeadAlone, "nothing would travel: take a deeper one, or the algorithm `local`"),
    ],
)
def test_a_network_without_two_parts_is_refused(name, network, words):
    with pytest.raises(MedflError) as error:
        federation(name, model=network)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("fedrep", {"head_epochs": -1}, "`head_epochs`: .* greater than or equal to 0"),
        ("fedper", {"layers": 2}, "unknown key `layers`"),
        ("mrmtl", {"lam": -0.1}, "`lam`: .* greater than or equal to 0"),
    ],
)
def test_hyper_parameters_that_make_no_sense(name, params, words):
    with pytest.raises(MedflError, match=words):
        federation(name, params)


def test_passes_of_the_head_are_no_noised_steps():
    chain = {"links": {"dp_image": {"noise_multiplier": 1.0, "descents": 2}}}
    with pytest.raises(MedflError, match="head_epochs: null for fedrep"):
        federation("fedrep", {"head_epochs": 1}, chain=chain, model=Grouped, local_steps=2)
