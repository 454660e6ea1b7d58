"""The class-balanced loss by hand, in each kind of task, and in a whole federation."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from federations import Normed, federation, models, small_store
from softmax import Softmax, close
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from medfl.config import FederatedConfig
from medfl.config.base import validate
from medfl.errors import MedflError
from medfl.federated.balanced_loss import BalancedLoss, class_weights


def test_weights_on_paper():
    """β = 1/2 and counts 1, 2, 3: E = 1, 3/2, 7/4; 1, 2/3, 4/7 add up to 47/21, scaled to 3."""
    found = class_weights(torch.tensor([1, 2, 3]), 0.5)
    assert found.tolist() == pytest.approx([63 / 47, 42 / 47, 36 / 47], rel=1e-14)
    assert float(found.sum()) == pytest.approx(3, rel=1e-14)


def test_a_class_that_is_not_there_is_left_out_of_the_scale():
    """Counts 1 and 2 alone: 1 and 2/3 add up to 5/3, scaled to 2; the absent one is as one of 1."""
    found = class_weights(torch.tensor([0, 1, 2]), 0.5)
    assert found.tolist() == pytest.approx([6 / 5, 6 / 5, 4 / 5], rel=1e-14)


def test_a_beta_near_1_is_the_inverse_of_the_counts():
    found = class_weights(torch.tensor([10, 30]), 1 - 1e-9)
    assert float(found[0] / found[1]) == pytest.approx(3, rel=1e-6)
    assert class_weights(torch.tensor([0, 7, 1000]), 0.0).tolist() == [1, 1, 1]


def test_one_label_on_paper():
    """Weights 6/5 and 4/5 of two samples, each with softmax 1/(1 + e^-1) of its label.

    The mean is over samples, so that the loss is the plain one: weights add up to 2.
    """
    loss = BalancedLoss(torch.tensor([1, 2]), 3, 0.5, multilabel=False)
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    plain = log(1 + exp(-1))
    assert float(loss(scores, torch.tensor([0, 1]))) == pytest.approx(plain, rel=1e-14)
    assert float(loss(scores, torch.tensor([0, 0]))) == pytest.approx(
        6 / 5 * (plain + plain + 1) / 2, rel=1e-14
    )
    mixed = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).double()
    assert float(loss(scores, mixed)) == pytest.approx(
        (6 / 5 * (plain + plain + 1) + 4 / 5 * (plain + plain + 1)) / 4, rel=1e-14
    )


def test_several_labels_on_paper():
    """Of 3 samples 1 has the label: weights 6/5 where it is there, 4/5 where it is not."""
    loss = BalancedLoss(torch.tensor([1, 2]), 3, 0.5, multilabel=True)
    scores, labels = torch.zeros(1, 2).double(), torch.tensor([[1.0, 0.0]]).double()
    # The second label is there in 2 of 3, so its absence counts 6/5.
    assert float(loss(scores, labels)) == pytest.approx(6 / 5 * log(2), rel=1e-14)
    assert float(loss(scores, 1 - labels)) == pytest.approx(4 / 5 * log(2), rel=1e-14)


@pytest.mark.parametrize("several", [False, True])
def test_without_beta_it_is_the_plain_loss(several):
    torch.manual_seed(0)
    scores = torch.randn(7, 3, dtype=torch.float64)
    labels = torch.randint(3, (7,))
    plain = cross_entropy
    if several:
        labels, plain = (
            torch.nn.functional.one_hot(labels, 3).double(),
            (binary_cross_entropy_with_logits),
        )
    loss = BalancedLoss(torch.tensor([5, 0, 2]), 7, 0.0, several)
    assert float(loss(scores, labels)) == pytest.approx(float(plain(scores, labels)), rel=1e-14)
    assert type(federation(class_balanced_beta=0.0).clients[0].criterion) is type(cross_entropy)


class Weighted(Softmax):
    """Each client's samples count by the weights of its own classes."""

    def __init__(self, trainer, beta):
        super().__init__(trainer)
        self.counts = np.ones(len(self.y))
        for client in range(len(trainer.clients)):
            rows = self.rows(client)
            sizes = np.bincount(self.y[rows], minlength=self.classes)
            inverse = np.where(sizes > 0, (1 - beta) / (1 - beta ** np.maximum(sizes, 1)), 0)
            self.counts[rows] = (inverse * (sizes > 0).sum() / inverse.sum())[self.y[rows]]

    def gradient(self, theta, rows):
        one_by_one = [self.counts[k] * super(Weighted, self).gradient(theta, [k]) for k in rows]
        return np.mean(one_by_one, axis=0)


@pytest.mark.parametrize("name", ["fedavg", "centralized"])
def test_rounds_by_hand(name):
    trainer = federation(name, class_balanced_beta=0.9, rounds=2)
    problem = Weighted(trainer, 0.9)
    assert np.ptp(problem.counts) > 0.1
    x, everyone = problem.start, range(len(trainer.clients))
    for number, seen in enumerate(models(trainer)):
        if number:
            y = [problem.descend(x, problem.batches(k, number)) for k in everyone]
            x = problem.weights @ np.array(y)
        assert close(seen, x)
    said = trainer.server.objective
    assert said.endswith("losses are class-balanced, β = 0.9, by each client's label counts")


@pytest.mark.parametrize("name", ["moon", "fedlc", "qfedavg", "ditto"])
def test_every_loss_is_balanced(name):
    """Whatever an algorithm adds to the criterion or makes of it."""
    runs = [federation(name, model=Normed, rounds=2, class_balanced_beta=b) for b in (0.0, 0.99)]
    assert not torch.equal(models(runs[0])[-1], models(runs[1])[-1])


@pytest.mark.parametrize(
    ("beta", "words"),
    [(1.0, "should be less than 1"), (-0.1, "should be greater than or equal to 0")],
)
def test_a_wrong_beta_is_refused(beta, words):
    content = {"training": {"class_balanced_beta": beta}}
    with pytest.raises(MedflError, match=f"here: `training.class_balanced_beta`: .*{words}"):
        validate(FederatedConfig, content, "here")


def test_differential_privacy_of_single_images_is_refused():
    chain = {"links": {"dp_image": {"noise_multiplier": 1.0}}}
    words = "dp_image: each sample's gradient depends on how many others of its class"
    with pytest.raises(MedflError, match=words):
        federation(class_balanced_beta=0.9, chain=chain, local_steps=2)


def test_labels_that_a_client_lacks_may_come_up():
    """An attacker flips labels to classes of which it has none: the run goes on."""
    store = small_store(60)
    store.labels[:8] = 0
    trainer = federation(
        store=store,
        sizes=(8, 16, 12),
        class_balanced_beta=0.99,
        chain={"links": {"links:FlipLabels": {}}},
        rounds=1,
    )
    trainer.train()
    assert trainer.status == "completed"
