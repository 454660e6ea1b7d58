"""The work that a client does is counted, whichever model it trains and however often."""

from __future__ import annotations

import numpy as np
from federations import ALGORITHMS, federation, models
from softmax import Softmax, close

from medfl.algorithms import Work
from medfl.algorithms.fedavg import FedAvg

SIZES = (8, 16, 12)  # 2, 4 and 3 batches of 4 samples per pass


class HeadFirst(FedAvg):
    """As FedRep: each client keeps its head, here the bias, and trains it before the body."""

    evaluated = "personal"

    def local_names(self, model):
        return {"1.bias"}

    def train(self, client, model):
        body, head = model.module.parameters()
        body.requires_grad_(False)
        first = client.descend(model, "head", epochs=1)
        body.requires_grad_(True)
        head.requires_grad_(False)
        second = client.descend(model, "train")
        head.requires_grad_(True)
        return first + second


def test_a_head_that_is_trained_first_is_counted():
    """One pass for the head and two for the body: 9 + 18 steps per round; the numbers are numpy's.

    The loss of a round is the mean over all steps of a client, weighted by the clients' samples.
    """
    trainer = federation("test_work:HeadFirst", sizes=SIZES, rounds=3, local_epochs=2)
    problem = Softmax(trainer)
    body, heads = problem.start[:-3], [problem.start[-3:]] * 3
    of_body = np.concatenate([np.ones(len(body)), np.zeros(3)])
    for number, seen in enumerate(models(trainer)):
        if number:
            bodies, losses = [], []
            for k in range(3):
                steps = [(1 - of_body, rows) for rows in problem.batches(k, number, "head", 1)]
                steps += [(of_body, rows) for rows in problem.batches(k, number)]
                theta, seen_losses = np.concatenate([body, heads[k]]), []
                for trained, rows in steps:
                    seen_losses.append(problem.losses(theta, rows).mean())
                    theta = theta - 0.1 * trained * problem.gradient(theta, rows)
                bodies.append(theta[:-3])
                heads[k] = theta[-3:]
                losses.append(np.mean(seen_losses))
            body = problem.share([0, 1, 2]) @ np.array(bodies)
            row = trainer.history[number]
            assert (row["steps"], row["gradients"]) == (9 + 18, 9 + 18)
            assert abs(row["train_loss"] - problem.weights @ losses) < 1e-10
        assert close(seen, body)
    for client, head in zip(trainer.clients, heads, strict=True):
        assert close(client.state["local"], head)
    assert trainer.steps_by_client() == {0: 3 * 6, 1: 3 * 12, 2: 3 * 9}


def test_two_descents_by_hand():
    """Losses 2 and 5 over 1 and 2 steps are (2 + 10) / 3 per step."""
    one, other = Work(2.0, 1, 3, {"a": 1}, 4), Work(5.0, 2, 2, {"b": 2}, 1)
    assert one + other == Work(4.0, 3, 5, {"a": 1, "b": 2}, 5)


def test_work_beside_the_model_that_is_sent_is_counted():
    """9 batches per round; Ditto descends twice, and option I passes over the data once more."""
    found = {}
    for name in ("fedavg", "ditto", "scaffold", "scaffold-1"):
        trainer = federation(name.split("-")[0], ALGORITHMS[name], sizes=SIZES, rounds=1)
        trainer.train()
        found[name] = (trainer.history[1]["steps"], trainer.history[1]["gradients"])
    assert found == {
        "fedavg": (9, 9),
        "ditto": (9, 18),
        "scaffold": (9, 9),
        "scaffold-1": (9, 18),
    }
