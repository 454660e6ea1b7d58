"""FedLC against numpy, on paper, and where it is FedAvg."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import Normed, federation, models, small_store
from softmax import Softmax, close

from medfl.errors import MedflError


class Calibrated(Softmax):
    """Every client's logits are lowered by τ n^(−1/4); 0 samples count as 1e-8."""

    def __init__(self, trainer, tau):
        super().__init__(trainer)
        self.tau = tau

    def gradient(self, theta, rows):
        """A margin is the same as a lower bias."""
        owner = next(k for k in range(len(self.weights)) if rows[0] in self.rows(k))
        n = np.bincount(self.y[self.rows(owner)], minlength=self.classes)
        lowered = theta.copy()
        lowered[-self.classes :] -= self.tau * np.maximum(n, 1e-8) ** -0.25
        return super().gradient(lowered, rows)


@pytest.mark.parametrize("lacking", [False, True])
def test_rounds_by_hand(lacking):
    store = small_store(60)
    if lacking:
        store.labels[:8] = np.arange(8) % 2
    trainer = federation("fedlc", {"tau": 0.8}, store=store, momentum=0.5)
    problem = Calibrated(trainer, 0.8)
    x = problem.start
    for number, seen in enumerate(models(trainer)):
        if number:
            batches = [problem.batches(k, number) for k in range(3)]
            y = [problem.descend(x, rows, momentum=0.5) for rows in batches]
            x = problem.weights @ np.array(y)
        assert close(seen, x)


def test_a_batch_on_paper():
    """Counts 16 and 1, τ = 2: margins 1 and 2. Logits (1, 2) become (0, 0): loss log 2."""
    store = small_store(17 + 8, classes=2)
    store.labels[:17] = 0
    store.labels[16] = 1
    trainer = federation("fedlc", {"tau": 2.0}, store=store, sizes=(17,))
    algorithm, client = trainer.server.algorithm, trainer.clients[0]
    assert client.label_counts().tolist() == [16, 1]
    margins, seen = torch.tensor([1.0, 2.0]).double(), {}
    client.descend = lambda model, purpose, loss: seen.update(loss=loss)
    algorithm.train(client, trainer.server.model)
    assert torch.allclose(seen["loss"].args[0], margins, rtol=0, atol=1e-14)
    logits = torch.tensor([[1.0, 2.0]]).double()
    model = type("M", (), {"module": staticmethod(lambda images: logits)})
    loss = seen["loss"](model, None, torch.tensor([1]), client)
    assert float(loss) == pytest.approx(np.log(2), rel=1e-14)


def test_without_margins_it_is_fedavg():
    plain, none = federation(model=Normed), federation("fedlc", {"tau": 0.0}, model=Normed)
    assert all(torch.equal(a, b) for a, b in zip(models(plain), models(none), strict=True))
    assert plain.server.objective == none.server.objective


def test_with_as_many_samples_of_each_class_it_is_fedavg():
    store = small_store(6 + 18 + 12 + 24)
    store.labels[:36] = np.arange(36) % 3
    settings = {"store": store, "sizes": (6, 18, 12), "model": Normed}
    plain, even = federation(**settings), federation("fedlc", {"tau": 3.0}, **settings)
    for one, other in zip(models(plain), models(even), strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_a_class_that_a_client_lacks_is_not_pushed_down():
    """Client 0 has classes 0 and 1: its steps leave the weights of class 2 where they are."""
    moved = {}
    for name in ("fedavg", "fedlc"):
        store = small_store(60)
        store.labels[:8] = np.arange(8) % 2
        trainer = federation(name, {"tau": 1.0} if name == "fedlc" else {}, store=store)
        start = trainer.server.vector.clone()
        message, _ = trainer.clients[0].train(trainer.server.model, trainer.server.open(1))
        moved[name] = (message.parts["parameters"].value - start)[72:108].abs().max()
    assert moved["fedlc"] < 1e-30 < 1e-3 < moved["fedavg"]


def test_several_labels_are_refused():
    store = small_store(60)
    store.info = replace(store.info, task="multilabel")
    store.labels = np.eye(3, dtype=np.int64)[store.labels]
    with pytest.raises(MedflError, match="fedlc calibrates a softmax over classes, and an image"):
        federation("fedlc", store=store)
