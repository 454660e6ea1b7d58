"""What each algorithm minimises: the minimum is worked out by linear algebra, without the engine.

Every client's loss is the squared error of a linear model, with weight decay and full batches, so
that any weighted mean of the losses has one minimum, which a linear system gives.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, federation, judge_nothing, small_store
from torch import nn

from medfl.algorithms.fedavg import FedAvg
from medfl.algorithms.objective import objective_of
from medfl.algorithms.server_optimizers import AdaptiveServer
from medfl.errors import MedflError

SIDE, CLASSES, DECAY = 2, 2, 1.0
SIZES = (4, 20, 9)


class Linear(nn.Module):
    """A linear model whose features, which MOON reads, are the pixels themselves."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(SIDE * SIDE, CLASSES)

    def forward_features(self, images):
        return images.flatten(1)

    def forward(self, images):
        return self.head(self.forward_features(images))


def squared(scores, labels):
    wanted = nn.functional.one_hot(labels, CLASSES).double()
    return (scores - wanted).square().sum(dim=1).mean() / 2


def trainer_of(name, params=None, sizes=SIZES, steps=None, **settings):
    """A federation of unlike clients: each has classes and brightness of its own.

    ``steps`` gives each client a number of local steps of its own.
    """
    store = small_store(sum(sizes) + 8 * len(sizes), CLASSES, SIDE, seed=3)
    start = 0
    for k, size in enumerate(sizes):
        rows = slice(start, start + size)
        store.labels[rows] = (np.arange(size) * (k + 1) + k) % 5 < 2 + k % 2
        # Greys are few and near the mean, so that large steps converge.
        store.images[rows] = 70 + (0.1 + 0.15 * k) * store.images[rows]
        start += size
    settings = {"batch_size": 1000, "weight_decay": DECAY, "evaluate_every": 10**6} | settings
    trainer = federation(name, params, sizes=tuple(sizes), model=Linear, store=store, **settings)
    judge_nothing(trainer)
    for k, client in enumerate(trainer.clients):
        client.criterion = squared
        if steps:
            trainer.server.local_steps[client.id] = steps[k]
            client.descend = repeated(client, steps[k])
    return trainer


def repeated(client, steps):
    """Full batches make an epoch one step: so many epochs are so many steps."""
    descend = type(client).descend
    return lambda model, purpose, **options: descend(
        client, model, purpose, **{"epochs": steps} | options
    )


def reached(trainer):
    trainer.train()
    assert trainer.status == "completed"
    return trainer.server.vector.numpy().copy()


def minimum(trainer, weights):
    """The minimum of Σ w_i (F_i + λ/2 ‖x‖²) / Σ w_i: A θ = b, with one row of θ per class."""
    data, d = trainer.data, SIDE * SIDE
    a, b = DECAY * np.eye(d + 1), np.zeros((d + 1, CLASSES))
    for k, weight in zip(data.clients, np.array(weights) / np.sum(weights), strict=True):
        rows = data.indices(k, "train")
        x = data.inputs(rows).flatten(1).numpy()
        x = np.hstack([x, np.ones((len(x), 1))])
        y = np.eye(CLASSES)[data.labels[rows].numpy()]
        a += weight * x.T @ x / len(x)
        b += weight * x.T @ y / len(x)
    theta = np.linalg.solve(a, b)
    return np.concatenate([theta[:d].T.ravel(), theta[d]])


def away(trainer, weights):
    return np.linalg.norm(trainer.server.vector.numpy() - minimum(trainer, weights))


def move(trainer, weights):
    """How far one round carries the server from the minimum for these weights, over η."""
    trainer.server.vector.copy_(torch.from_numpy(minimum(trainer, weights)))
    start = trainer.server.vector.clone()
    return (reached(trainer) - start.numpy()) / trainer.config.training.learning_rate


P = {"samples": "p_i: share of all training samples", "uniform": "p_i: 1/3"}
WEIGHTS = {"samples": SIZES, "uniform": (1, 1, 1)}
# Hyper-parameters with which a constant rate converges in some hundred rounds.
ARMS = {
    **ALGORITHMS,
    "fedavgm": {"server_momentum": 0.5},
    "fedadam": {"tau": 0.1, "server_learning_rate": 0.1, "beta1": 0.5},
    "fedyogi": {"tau": 0.1, "server_learning_rate": 0.1, "beta1": 0.5},
    "fedadagrad": {"tau": 0.1, "server_learning_rate": 0.4},
    "fedexp": {"epsilon": 0.1},
    "qfedavg": {"q": 0.0},
    "fedlc": {"tau": 0.0},
    "feddgga": {"step_size": 0.0},
    "fedlws": {"beta": 0.0, "min_tau": 0.0, "max_tau": 0.0},
    "feddyn": {"alpha": 0.5},
}


# These have another objective for each client: tests/algorithms looks what they do.
OWN = {"local", "centralized", "fedper", "fedrep", "mrmtl", "fedrod", "fedala"}


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - OWN))
def test_with_one_local_step_all_minimise_the_same(name, weighting):
    trainer = trainer_of(
        name.split("-")[0],
        ARMS[name],
        rounds=70,
        local_steps=1,
        learning_rate=0.3,
        weighting=weighting,
    )
    reached(trainer)
    assert away(trainer, WEIGHTS[weighting]) < 1e-6
    assert away(trainer, WEIGHTS["uniform" if weighting == "samples" else "samples"]) > 0.01
    first = "Σ p_i (F_i + 1 C_i); " if name == "moon" else "Σ p_i F_i; "
    assert trainer.server.objective.removeprefix("x: ").startswith(first + P[weighting])


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize(
    "work",
    [
        {"local_steps": 5},
        {"steps": (1, 6, 2), "momentum": 0.5},
        {"steps": (4, 1, 3), "clients_per_round": 2},
    ],
)
@pytest.mark.parametrize(
    ("name", "params"),
    [("scaffold", {}), ("scaffold", {"option": 1}), ("feddyn", {"alpha": 1.0})],
)
def test_corrected_arms_minimise_it_at_any_local_steps(name, params, work, weighting):
    trainer = trainer_of(name, params, rounds=70, learning_rate=0.3, weighting=weighting, **work)
    reached(trainer)
    assert away(trainer, WEIGHTS[weighting]) < 1e-6
    assert trainer.server.objective == f"Σ p_i F_i; {P[weighting]}"


@pytest.mark.slow
@pytest.mark.parametrize("steps", [(1, 1, 1), (7, 7, 7), (1, 7, 3), (7, 1, 20)])
def test_feddyn_minimises_it_with_a_small_alpha(steps):
    trainer = trainer_of("feddyn", {"alpha": 0.1}, rounds=1500, steps=steps)
    reached(trainer)
    assert away(trainer, SIZES) < 1e-6


@pytest.mark.parametrize("option", [1, 2])
def test_equal_control_variates_minimise_the_equal_mean_and_say_so(option):
    params = {"option": option, "control_weights": "equal"}
    trainer = trainer_of("scaffold", params, rounds=70, learning_rate=0.3, local_steps=4)
    reached(trainer)
    assert away(trainer, (1, 1, 1)) < 1e-6
    assert trainer.server.objective.startswith("1/N Σ F_i:")
    equal = trainer_of("scaffold", params, weighting="uniform")
    assert equal.server.objective == f"Σ p_i F_i; {P['uniform']}"


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_the_centralised_arm_minimises_the_mean_over_samples(weighting):
    trainer = trainer_of(
        "centralized", rounds=60, local_steps=1, learning_rate=0.3, weighting=weighting
    )
    reached(trainer)
    assert away(trainer, SIZES) < 1e-6
    said = trainer.server.objective
    assert said.startswith("the mean loss of all training samples")
    assert said.endswith("whatever `weighting` says") == (weighting == "uniform")


def reach(steps, momentum=0.0, shrink=0.0):
    """‖a‖₁: how far ``steps`` steps go along a gradient of 1, over η; ``shrink`` is ηµ."""
    y = velocity = 0.0
    for _ in range(steps):
        velocity = momentum * velocity + 1 - shrink * y
        y += velocity
    return y


RATE, STEPS = 1e-4, (6, 1, 3)
TAU = "Σ p_i τ_i F_i, up to client drift in a local epoch; τ_i: client i's steps; "
REACH = TAU.replace("τ_i: client i's steps", "‖a_i‖₁: how far client i's steps reach")
REACH = REACH.replace("τ_i F_i", "‖a_i‖₁ F_i")
NOVA = f"Σ p_i F_i, up to client drift in a local epoch; {P['samples']}"
SHRINK = {"mu": 0.2 / RATE}
BEYOND = [
    ("fedavg", {}, {}, STEPS, TAU),
    ("fedavg", {}, {"momentum": 0.9}, [reach(s, 0.9) for s in STEPS], REACH),
    ("fedprox", SHRINK, {}, [reach(s, 0, 0.2) for s in STEPS], REACH),
    ("fedprox", SHRINK, {"momentum": 0.5}, [reach(s, 0.5, 0.2) for s in STEPS], REACH),
    ("fedprox", {"mu": 0.0}, {}, STEPS, TAU),
    ("fednova", {}, {}, (1, 1, 1), NOVA),
    ("fednova", SHRINK, {"momentum": 0.9}, (1, 1, 1), NOVA),
    ("fedavgm", {}, {}, STEPS, TAU),
    ("fedadam", {}, {}, STEPS, TAU),
    ("fedyogi", {}, {}, STEPS, TAU),
    ("fedadagrad", {}, {}, STEPS, TAU),
    ("fedexp", {}, {}, STEPS, TAU),
    ("qfedavg", {"q": 0.0}, {}, STEPS, TAU),
    ("fedlc", {"tau": 0.0}, {}, STEPS, TAU),
    ("moon", {"mu": 0.0}, {}, STEPS, TAU),
    ("ditto", {}, {}, STEPS, f"x: {TAU}"),
    ("finetune", {}, {}, STEPS, f"x: {TAU}"),
    ("fedbn", {}, {}, STEPS, TAU),
]


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize(("name", "params", "settings", "reaches", "said"), BEYOND)
def test_what_they_weigh_beyond_one_step(name, params, settings, reaches, said, weighting):
    def trainer():
        work = {"rounds": 1, "learning_rate": RATE, "steps": STEPS, "weighting": weighting}
        return trainer_of(name, params, **work, **settings)

    weights = np.array(WEIGHTS[weighting]) * np.array(reaches)
    others = np.array(WEIGHTS[weighting]) * (1 if said != NOVA else np.array(STEPS))
    # Adaptive servers change lengths, so a step is compared with one from another minimum.
    assert np.linalg.norm(move(trainer(), weights)) < 0.01 * np.linalg.norm(move(trainer(), others))
    said = said.removesuffix(P["samples"]) + P[weighting]
    assert trainer().server.objective.startswith(said)


@pytest.mark.parametrize("steps", [(1, 1, 1), STEPS])
@pytest.mark.parametrize("weighting", ["samples", "uniform"])
@pytest.mark.parametrize("name", ["fedavg", "fednova"])
def test_what_they_weigh_where_two_of_three_take_part(name, weighting, steps):
    rounds, shares = list(combinations(range(3), 2)), np.zeros(3)
    own, tau = np.array(WEIGHTS[weighting], float), np.array(steps, float)
    for chosen in map(list, rounds):
        p = own[chosen] / own[chosen].sum()
        shares[chosen] += p * (tau[chosen] if name == "fedavg" else p @ tau[chosen])

    def trainer(chosen):
        work = {"rounds": 1, "learning_rate": RATE, "steps": steps, "clients_per_round": 2}
        made = trainer_of(name, weighting=weighting, **work)
        made.server.participants = lambda number: list(chosen)
        return made

    def mean_move(weights):
        return np.linalg.norm(np.mean([move(trainer(s), weights) for s in rounds], axis=0))

    uneven = len(set(steps)) > 1
    plain = weighting == "uniform" and not (uneven and name == "fednova")
    if not plain or uneven:
        assert mean_move(shares) < 0.01 * mean_move(own)
    of = "training samples" if weighting == "samples" else "clients"
    said = f"p_i: share of the {of} of a round, 2 of 3 clients, mean over rounds"
    said += ", which count by their τ_eff" if uneven and name == "fednova" else ""
    assert trainer(rounds[0]).server.objective.endswith(P["uniform"] if plain else said)


def test_one_client_with_other_steps_is_enough_for_their_rounds_to_count_more():
    made = trainer_of(
        "fednova", weighting="uniform", rounds=1, steps=(2, 2, 3), clients_per_round=2
    )
    assert made.server.objective.endswith("mean over rounds, which count by their τ_eff")


@pytest.mark.parametrize("settings", [{"optimizer": "adam"}, {"clip_norm": 0.1}])
def test_where_steps_do_not_follow_the_gradients_no_mean_is_claimed(settings):
    said = trainer_of("fedavg", **settings).server.objective
    assert said.startswith("no weighted mean of F_i: ")
    reached(trainer := trainer_of("fedavg", rounds=60, local_steps=1, **settings))
    assert away(trainer, SIZES) > 1e-3


def test_the_chain_says_what_it_changes():
    plain = trainer_of("fedavg").server.objective
    chain = {"links": {"clip": {"norm": 2.5}, "quantize": {"bits": 4}}}
    assert trainer_of("fedavg", chain=chain).server.objective == (
        f"{plain}; clip: clients whose update is longer than 2.5 count less than that; "
        "quantize: updates are rounded to 4 bits, without bias"
    )
    median = trainer_of("scaffold", chain={"rule": "median"}).server.objective
    assert median.startswith("no weighted mean of F_i: every entry")
    assert median.endswith(
        "(with the sum it would be: Σ p_i F_i; p_i: share of all training samples)"
    )


class Steeper(FedAvg):
    def loss(self, model, images, labels, client):
        return 2 * super().loss(model, images, labels, client)


class Renamed(FedAvg):
    statistics = "averaged"


class Honest(Steeper):
    def objective(self):
        return "twice the loss"


class Silent(FedAvg):
    def objective(self):
        return None


class Aside(AdaptiveServer):
    def adapt(self, variance, square):
        variance.zero_()


def test_a_class_of_ones_own_claims_nothing_that_it_does_not_say():
    def said(kind):
        server = federation().server
        algorithm = kind()
        algorithm.server = server
        return objective_of(algorithm)

    assert said(Steeper) == "not stated: Steeper has `loss` of its own, and no `objective`"
    assert said(Aside) == "not stated: Aside has `adapt` of its own, and no `objective`"
    assert said(Honest) == "twice the loss"
    assert said(Renamed) == said(FedAvg)
    with pytest.raises(
        MedflError,
        match=r"`objective` of the algorithm `.*:Silent` gave NoneType, but needed is a",
    ):
        said(Silent)
