"""The real links keep what they claim, and mechanisms that were broken on purpose are caught."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from medfl.algorithms.fedavg import FedAvg
from medfl.config.audit import AuditSettings
from medfl.federated import FederatedTrainer
from medfl.observed.audited import audit_config, audit_run, open_run, score_canaries, watch_run
from medfl.privacy.audit.canaries import Canaries, CanaryStore
from medfl.privacy.audit.guesses import guess_members, judge_guesses
from medfl.privacy.audit.verdict import AuditFinding, judge_audit
from medfl.privacy.dp_sgd.link import NoisyDescent
from medfl.privacy.dp_sgd.units import PatientPrivacy
from medfl.privacy.hospital.refusals import MASKS

# Everyone is drawn, so that the claim is exact at once; the samples have tests of their own.
SMALL = {"canaries": 2000, "clients": 8, "rounds": 1, "local_steps": 4, "sampling_rate": 1.0}
HOSPITALS = {"unit": "hospital", "canaries": 1000, "rounds": 1}


def verdict_of(**keys):
    settings = AuditSettings(**keys)
    run = audit_run(settings)
    return judged(run.scores, run.canaries.inside, run.privacy["epsilon"], settings, run.draws)


def judged(scores, inside, epsilon, settings, draws=None):
    made = judge_guesses(guess_members(scores, settings.guesses), inside)
    return judge_audit(made, epsilon, settings.delta, settings.significance, draws)


def test_scores_by_hand():
    """Three clients with two pixels each: the even one falls for a canary, the odd one rises."""
    canaries = Canaries(np.ones(6, bool), np.arange(6) % 3, np.arange(6) // 3)
    updates = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]])
    # Of client 0, pixel 0: −(1 − (2 + 6)/2); pixel 1: 10 − (20 + 60)/2.
    expected = [3.0, 1.5, -4.5, -30.0, -15.0, 45.0]
    assert score_canaries(updates, canaries).tolist() == expected
    # Of hospitals only the sum is seen, in which each canary has a pixel of its own.
    hospitals = Canaries.of_hospitals(3, 0)
    seen = score_canaries(np.array([[1.0, 2.0, 3.0]]), hospitals)
    assert seen.tolist() == [-1.0, 2.0, -3.0]


@pytest.mark.parametrize("unit", ["image", "patient"])
def test_the_real_steps_keep_their_claim(unit):
    """20,000 canaries; a coin that must come down so by chance fails in one seed of 10,000."""
    found = verdict_of(unit=unit, rounds=1, local_steps=2, sampling_rate=1.0)
    assert 0.99 < found.epsilon <= 1.0
    assert found.finding is AuditFinding.HOLDS
    assert found.draws.passed


@pytest.mark.slow
@pytest.mark.parametrize(
    "keys",
    [
        {"unit": "image"},
        {"unit": "patient", "images": 3, "seed": 1},
        {"unit": "hospital"},
        {"unit": "hospital", "noise": "distributed", "rounds": 1},
    ],
)
def test_every_link_keeps_its_claim_at_the_size_of_the_command(keys):
    found = verdict_of(**keys)
    assert 0.99 < found.epsilon <= 1.0
    assert found.finding is AuditFinding.HOLDS


def no_noise(like, generator):
    return torch.zeros_like(like)


def test_noise_off_is_caught(monkeypatch):
    monkeypatch.setattr("medfl.privacy.dp_sgd.steps.normals", no_noise)
    found = verdict_of(**SMALL)
    assert found.finding is AuditFinding.BROKEN
    assert found.guesses.right == found.guesses.made  # nothing hides anybody


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["image", "patient"])
def test_clipping_off_is_caught(monkeypatch, unit):
    import medfl.privacy.dp_sgd.steps as steps

    clipped = steps.clipped_sum

    def unclipped(sampler, images, labels, units, bound, limit, backward):
        return clipped(sampler, images, labels, units, None, limit, backward)

    monkeypatch.setattr(steps, "clipped_sum", unclipped)
    found = verdict_of(**SMALL, unit=unit)
    assert found.finding is AuditFinding.BROKEN
    assert found.one_run > found.epsilon


def test_noise_that_was_drawn_once_for_all_clients_is_caught(monkeypatch):
    """Each client accounts for noise of its own; the difference of two messages has none."""
    source = NoisyDescent.source

    def same(self, *key, **where):
        if key[0] == "noise":
            assert key[3] == "train"
            key = (*key[:2], 0, *key[3:])  # in the place of the client's number
        return source(self, *key, **where)

    monkeypatch.setattr(NoisyDescent, "source", same)
    found = verdict_of(**SMALL)
    assert found.finding is AuditFinding.BROKEN
    assert found.one_run > found.epsilon


def test_an_epsilon_of_images_that_is_sold_as_one_of_patients_is_caught(monkeypatch):
    """Each of a patient's five images is cut by itself, so a patient adds five times as much."""

    def every_row(self, client):
        return torch.arange(len(client.rows))

    monkeypatch.setattr(PatientPrivacy, "units", every_row)
    found = verdict_of(**SMALL, unit="patient", images=5)
    assert found.finding is AuditFinding.BROKEN


def test_hospitals_without_noise_are_caught(monkeypatch):
    monkeypatch.setattr("medfl.privacy.draws.normals", no_noise)
    found = verdict_of(**HOSPITALS)
    assert found.finding is AuditFinding.BROKEN
    assert found.draws is None  # everyone takes part


@pytest.mark.slow
def test_hospitals_without_clipping_are_caught(monkeypatch):
    def unbounded(parts, norm, bound):
        return dict(parts)

    monkeypatch.setattr("medfl.privacy.hospital.link.bounded", unbounded)
    assert verdict_of(**HOSPITALS).finding is AuditFinding.BROKEN


@pytest.mark.slow
def test_hospital_noise_that_one_adds_for_all_is_caught(monkeypatch):
    """Shares of noise are accounted for from every hospital, and only the first adds its own."""
    import medfl.privacy.hospital.distributed as distributed

    drawn, calls = distributed.skellam_numbers, []

    def once(count, variance, generator):
        calls.append(count)
        if len(calls) > 1:
            return np.zeros(count, np.int64)
        return drawn(count, variance, generator)

    monkeypatch.setattr(distributed, "skellam_numbers", once)
    assert verdict_of(**HOSPITALS, noise="distributed").finding is AuditFinding.BROKEN
    assert len(calls) == 1000


def test_masks_that_are_left_out_change_no_sum():
    """The same hospitals under secure aggregation end with the same model."""
    settings = AuditSettings(unit="hospital", noise="distributed", canaries=6, rounds=2)
    canaries = Canaries.of_hospitals(6, 0)
    config, store = audit_config(settings), CanaryStore(canaries, black=True)
    learning = config.chain.links["dp_hospital"] | {"max_noise_ratio": 1e9}
    links = {**config.chain.links, "dp_hospital": learning}
    chain = config.chain.model_copy(update={"links": links})
    config = config.model_copy(update={"chain": chain})
    without, _ = watch_run(config, store, bool, each=False)
    assert [link.name for link in without.chain.links] == ["dp_hospital", "released"]
    masked = open_run(config, store, masks=True)
    assert [link.name for link in masked[0].chain.links] == ["dp_hospital", MASKS]
    trainer = FederatedTrainer(config, *masked)
    trainer.train()
    assert trainer.history[-1]["given_up"] == 0
    assert torch.equal(masked[0].vector, without.vector)
    assert float(without.vector.abs().max()) > 0


# A canary opens the gate of its pixel, and the crowd at that pixel moves its weight.
CROWD, PIXELS = 30, 400


class Gates(nn.Module):
    """Logit: Σ gate · dot + gain · gate · weight · crowd, without a gradient to the second gate.

    Gates stay with the client, and the gradient of a weight needs the gate. The gain makes that
    gradient as long as the bound allows, as soon as a gate is open at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(PIXELS))
        self.weight = nn.Parameter(torch.zeros(PIXELS))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        light = (images.flatten(1) + 1) / 2
        dot, crowd = (light > 0.9).to(light), ((light > 0.3) & (light < 0.9)).to(light)
        moved = 1e6 * self.gate.detach() * self.weight
        return (dot * self.gate + crowd * moved).sum(dim=1, keepdim=True)


class KeepsGates(FedAvg):
    """FedAvg whose gates stay with the client."""

    evaluated = "personal"

    def local_names(self, model):
        return {"gate"}


def gated_verdict():
    """One client, two steps: the first opens gates, the second moves what is sent."""
    settings = AuditSettings(canaries=PIXELS, clients=1, rounds=1, local_steps=2, sampling_rate=1)
    canaries = Canaries.draw(PIXELS, 1, 0)
    crowd = np.repeat(np.arange(PIXELS), CROWD)
    everyone = Canaries(
        np.append(canaries.inside, np.ones(len(crowd), bool)),
        np.zeros(PIXELS + len(crowd), np.int64),
        np.append(canaries.pixels, crowd),
    )
    store = CanaryStore(everyone)
    bright = store.images[canaries.inside.sum() :]
    bright[bright > 0] = 128
    config = audit_config(settings)
    link = config.chain.links["dp_image"] | {"size_step": 10_000}
    chain = config.chain.model_copy(update={"links": {"dp_image": link}})
    training = config.training.model_copy(update={"batch_size": 10_000})
    config = config.model_copy(update={"chain": chain, "training": training})
    parts = {"model": Gates(), "algorithm": KeepsGates()}
    server, seen = watch_run(config, store, bool, each=True, **parts)
    assert seen.all_updates().shape == (1, PIXELS)  # the gates have not left
    scores = score_canaries(seen.all_updates(), canaries) * canaries.signs
    return judged(scores, canaries.inside, server.chain.privacy()["epsilon"], settings)


@pytest.mark.slow
def test_a_local_layer_with_noise_keeps_the_claim():
    assert gated_verdict().finding is not AuditFinding.BROKEN


def test_a_local_layer_without_noise_is_caught(monkeypatch):
    """What is sent has its noise and its bound, and yet tells which gates were opened."""
    import medfl.privacy.dp_sgd.steps as steps

    normals = steps.normals

    def of_what_is_sent(like, generator):
        drawn = normals(like, generator)
        drawn[:PIXELS] = 0.0
        return drawn

    monkeypatch.setattr(steps, "normals", of_what_is_sent)
    found = gated_verdict()
    assert found.finding is AuditFinding.BROKEN
    assert found.one_run > found.epsilon
