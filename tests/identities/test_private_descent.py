"""DP-SGD without noise and with a bound above every norm is plain SGD over its Poisson batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, Linear, comparable, federation, models
from private_runs import COMPOSING, LAYERS, VOID, patients_store, private
from softmax import Softmax, close

from medfl.privacy.dp_sgd import clipping, steps
from medfl.streams import torch_stream


def alike(one, other, atol):
    for a, b in zip(models(one), models(other), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=atol)
    for a, b in zip(one.clients, other.clients, strict=True):
        assert a.state.keys() == b.state.keys()
        for key, value in a.state.items():
            assert torch.allclose(value, b.state[key], rtol=0, atol=atol), key


@pytest.mark.parametrize("name", COMPOSING)
def test_every_algorithm_that_composes(name):
    noised = private(name, clients_per_round=2)
    plain = federation(
        name,
        {**ALGORITHMS[name], **LAYERS.get(name, {})},
        chain={"links": {"private_runs:PlainPoisson": {}}},
        model=type(noised.server.model.module),
        local_steps=3,
        store=patients_store(60),
        clients_per_round=2,
        normalization="group",
    )
    alike(noised, plain, atol=1e-12)


def image_batches(trainer, client, number, steps=3):
    """The Poisson samples of a client in a round, by the test's own reading of the rule."""
    rows = trainer.clients[client].rows.numpy()
    rate = 4 / {8: 10, 16: 20, 12: 10}[len(rows)]
    generator = torch_stream(0, "link", "dp_image", number, client, "train")
    drawn = [torch.rand(len(rows), generator=generator, dtype=torch.float64) for _ in range(steps)]
    return [rows[(one < rate).numpy()] for one in drawn]


def test_rounds_in_numpy_with_clipping_and_noise():
    """Softmax regression: every sample's gradient clipped to .5, noise 0.7 · .5, divided by 4."""
    params = {"noise_multiplier": 0.7, "max_grad_norm": 0.5}
    trainer = private("fedavg", params=params, model=Linear)
    problem = Softmax(trainer)
    x, clipped = problem.start, 0
    for number, seen in enumerate(models(trainer)):
        if number:
            ends = []
            for client in range(3):
                y = x.copy()
                for step, rows in enumerate(image_batches(trainer, client, number)):
                    total = np.zeros_like(y)
                    for row in rows:
                        g = problem.gradient(y, np.array([row]))
                        clipped += np.linalg.norm(g) > 0.5
                        total += g * min(1.0, 0.5 / np.linalg.norm(g))
                    key = ("noise", number, client, "train", step)
                    generator = torch_stream(0, "link", "dp_image", *key)
                    noise = torch.randn(len(y), generator=generator, dtype=torch.float64).numpy()
                    y -= 0.1 * (total + 0.7 * 0.5 * noise) / 4
                ends.append(y)
            x = problem.weights @ np.array(ends)
        assert close(seen, x)
    assert clipped > 50


def test_patients_in_numpy():
    """Each patient adds the mean of its images' gradients, clipped as one."""
    trainer = private(
        "fedavg", "dp_patient", {"noise_multiplier": 0.0, "max_grad_norm": 0.5}, model=Linear
    )
    problem = Softmax(trainer)
    groups, x, several = trainer.data.groups, problem.start, 0
    for number, seen in enumerate(models(trainer)):
        if number:
            ends = []
            for client in range(3):
                rows = problem.rows(client)
                people = sorted(set(groups[rows]))
                rate = 4 / 10  # 4, 9 and 7 patients or so, each rounded to 10
                generator = torch_stream(0, "link", "dp_patient", number, client, "train")
                y = x.copy()
                for _ in range(3):
                    drawn = torch.rand(
                        len(people), generator=generator, dtype=torch.float64
                    ).numpy()
                    total = np.zeros_like(y)
                    for person in np.array(people)[drawn < rate]:
                        own = rows[groups[rows] == person]
                        several += len(own) > 1
                        g = np.mean([problem.gradient(y, np.array([r])) for r in own], axis=0)
                        total += g * min(1.0, 0.5 / np.linalg.norm(g))
                    y -= 0.1 * total / 4
                ends.append(y)
            x = problem.weights @ np.array(ends)
        assert close(seen, x)
    assert several > 20


@pytest.mark.parametrize("link", ["dp_image", "dp_patient"])
def test_pieces_give_the_same_run(link, monkeypatch):
    params = {"noise_multiplier": 1.0, "max_grad_norm": 0.3}
    whole = private("fedprox", link, params)
    pieces = private("fedprox", link, {**params, "max_samples_at_once": 2})
    sizes, original = [], steps.SampleGradients.of

    def of(self, images, labels, backward):
        sizes.append(len(images))
        return original(self, images, labels, backward)

    alike(whole, pieces, atol=1e-12)
    monkeypatch.setattr(clipping.SampleGradients, "of", of)
    private("fedprox", link, {**params, "max_samples_at_once": 2}).train()
    assert max(sizes) == 2
    sizes.clear()
    monkeypatch.setattr(steps, "MEMORY", 3 * whole.server.vector.nbytes)
    private("fedprox", link, params).train()
    assert max(sizes) == 3


def test_views_are_averaged_before_they_are_clipped():
    """Where all views are the image itself, they change nothing."""
    params = {"noise_multiplier": 1.0, "max_grad_norm": 0.3}
    still = {"dp_image": {**params, "views": 3}, "links:Still": {}}
    alike(private(params=params), private(chain={"links": still}), atol=1e-12)
    augmented = {"augmentation": {"preset": "xray"}}
    one, many = private(**augmented), private(params={**VOID, "views": 3}, **augmented)
    assert not torch.allclose(models(one)[-1], models(many)[-1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedbn", "ditto"])
def test_noise_is_the_same_in_any_order_of_clients(name):
    params = {"noise_multiplier": 1.0}
    one, other = private(name, params=params), private(name, params=params, reverse=True)
    alike(one, other, atol=0.0)
    assert comparable(one.history) == comparable(other.history)
    assert not torch.equal(models(private(name, params=params, seed=1))[-1], one.server.vector)
