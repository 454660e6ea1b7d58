"""Of each algorithm the attack simulates what its clients send, or it is refused."""

from __future__ import annotations

import math

import pytest
import torch
from attack_federations import federate_small

from medfl.algorithms import ALGORITHMS
from medfl.algorithms.fedavg import FedAvg
from medfl.commands.attack_case import case_config
from medfl.config.attack import InversionSettings
from medfl.errors import MedflError
from medfl.privacy.attacks.cases import PROTECTED, Case
from medfl.privacy.attacks.simulated import SimulatedClient

COMMUNICATE = [name for name in ALGORITHMS if ALGORITHMS.load(name).communicates]
# Head and body in turn; losses by label counts.
OTHERWISE = ("fedrep", "fedrod", "fedlc")
PULLED = ("fedprox", "feddyn", "mrmtl")


def apart(algorithm, steps):
    """How far what client 0 sends is from the simulated update, in shares of its length."""
    federation, images, labels, training = federate_small({}, "cnn", 4, steps, algorithm=algorithm)
    seen, server = federation.seen, federation.server
    shared = server.shared
    server.shared.put(server.model, seen.before, seen.statistics_before)
    sent = SimulatedClient(server.model, training).sent(images[0], labels[0])
    whole = server.model.views(shared.spread(seen.models[0] - seen.before))
    # Whole parameters are shared or stay; what stays is 0 in what was seen.
    parts = [(a.detach(), b) for a, b in zip(sent.update, whole, strict=True) if b.any()]
    sides = zip(*parts, strict=True)
    simulated, theirs = (torch.cat([one.flatten() for one in side]) for side in sides)
    # The attack compares directions, so that qfedavg's multiple of an update is as good.
    scale = float(simulated @ theirs) / float(theirs @ theirs)
    return float((simulated - scale * theirs).norm()) / float(simulated.norm())


@pytest.mark.parametrize("algorithm", COMMUNICATE)
def test_what_is_not_refused_is_simulated_right(algorithm):
    plain = ALGORITHMS.load(algorithm).plain_steps({})
    assert plain == (0 if algorithm in OTHERWISE else 1 if algorithm in PULLED else math.inf)
    if plain:
        assert apart(algorithm, 1) < 1e-5  # single precision, behind batch norm
    if plain > 1:
        assert apart(algorithm, 3) < 1e-5


@pytest.mark.parametrize("algorithm", OTHERWISE)
def test_what_is_refused_would_be_simulated_wrong(algorithm):
    assert apart(algorithm, 1) > 1e-2


@pytest.mark.parametrize("algorithm", PULLED)
def test_a_pull_is_felt_from_the_second_step_on(algorithm):
    assert apart(algorithm, 3) > 1e-4


def test_without_strength_nothing_pulls():
    for algorithm, name in (("fedprox", "mu"), ("fednova", "mu"), ("mrmtl", "lam")):
        algorithm = ALGORITHMS.load(algorithm)
        assert algorithm.plain_steps({name: 0.0}) == math.inf
        assert algorithm.plain_steps({name: 0.5}) == 1


def test_a_class_of_ones_own_is_plain_where_no_hook_is_its_own():
    class Renamed(FedAvg):
        pass

    class Louder(FedAvg):
        def loss(self, model, images, labels, client):
            return 2 * super().loss(model, images, labels, client)

    class Says(Louder):
        @classmethod
        def plain_steps(cls, params):
            return 1

    assert [one.plain_steps({}) for one in (Renamed, Louder, Says)] == [math.inf, 0, 1]


ARMS = """
rep: {algorithm: fedrep}
dyn: {algorithm: feddyn}
poisoned: {algorithm: fedavg, chain: {attackers: 0.4, links: {label_flip: {}}}}
halves: {algorithm: fedavg, training: {batch_size: 2}}
"""


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("rep", "fedrep trains otherwise: attack an arm of another algorithm"),
        (
            "dyn",
            "a client of feddyn trains otherwise after its first step: .* --local-steps 1",
        ),
        ("poisoned", "some clients of this arm are attackers"),
        ("halves", "this arm trains otherwise"),
    ],
)
def test_such_an_arm_is_refused_in_one_sentence(arm, words, tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "params/algorithms.yaml").write_text(ARMS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    case, settings = Case(PROTECTED, arm, 4, "mlp"), InversionSettings(local_steps=2)
    with pytest.raises(MedflError, match=f"arm {arm}: the attack simulates plain SGD.*{words}"):
        case_config(case, "phantom", settings)
    if arm == "dyn":
        assert case_config(case, "phantom", InversionSettings(local_steps=1))


def test_what_stays_with_clients_begins_at_its_first_values():
    """After a run the network may hold the layers of whichever client was judged last."""
    federation = federate_small({}, "cnn", 4, algorithm="fedper").federation
    server = federation.server
    own = [part.clone() for part in server.shared.take_local(server.model)]
    assert all(torch.equal(one, first) for one, first in zip(own, server._local, strict=True))
