"""Augmentation in the engine: training images only, from streams of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from federations import ALGORITHMS, Normed, federation, models, small_store, split_of

from medfl.augment import Augmenter, recipe_for
from medfl.config import Augmentation
from medfl.errors import MedflError
from medfl.federated import FederatedClient, FederatedData
from medfl.federated.client_batches import augmenter_for

FLIPPED = {
    "preset": "photo",
    "flip_horizontal": 1.0,
    "affine_probability": 0.0,
    "tone_probability": 0.0,
    "blur_probability": 0.0,
    "noise_probability": 0.0,
}
AUGMENTED = {"preset": "xray", "mixup": 0.3}


def multilabel_store():
    store = small_store(60)
    store.info = replace(store.info, task="multilabel")
    store.labels = np.random.default_rng(1).integers(2, size=(60, 3)).astype(np.uint8)
    return store


def augmenter(data, settings, seed=0):
    recipe = recipe_for(Augmentation(**settings), data.info, tuple(data.images.shape))
    return Augmenter(recipe, len(data.info.classes), torch.Generator().manual_seed(seed))


def lowest_and_span(images, kind):
    """8 bits run from 0 to 255; of 16 bits each image fills its own part."""
    if kind == np.uint8:
        return 0, 255
    low = images.min(axis=(1, 2, 3), keepdims=True)
    return low, images.max(axis=(1, 2, 3), keepdims=True) - low


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_pixels_are_changed_before_they_are_normalised(kind):
    store = small_store(n=24)
    full = 255
    if kind == np.int16:  # Hounsfield units, air to bone
        full = 32767
        store.images = (store.images.astype(np.int64) * 8 - 1000).astype(kind)
    data = FederatedData(store, split_of(store, [16])).double()
    mean, std = data.mean[0], data.std[0]
    rows = torch.tensor([3, 0])
    images, labels = data.batch(rows, augmenter(data, FLIPPED))
    expected = (store.images[[3, 0], :, :, ::-1] / full - mean) / std
    assert images.numpy() == pytest.approx(expected, abs=1e-5)
    assert labels.tolist() == store.labels[[3, 0]].tolist()
    assert images.is_contiguous(memory_format=torch.channels_last)
    # Gamma on [0, 1]: the exponent is one number a sample, whatever the pixels' width.
    tone = {"tone_probability": 1.0, "brightness": 0.0, "contrast": 0.0, "gamma": 0.5}
    images, _ = data.batch(rows, augmenter(data, {**FLIPPED, "flip_horizontal": 0.0, **tone}))
    low, span = lowest_and_span(store.images[[3, 0]].astype(float), kind)
    pixels = ((images.numpy() * std + mean) * full - low) / span
    plain = (store.images[[3, 0]] - low) / span
    inner = (plain > 0.05) & (plain < 0.95)
    for k in range(2):
        exponents = np.log(pixels[k][inner[k]]) / np.log(plain[k][inner[k]])
        assert exponents.std() < 1e-4
        assert 1 / 1.5 <= exponents.mean() <= 1.5
        assert abs(exponents.mean() - 1) > 1e-3


def test_the_data_stay_as_they_were():
    store = small_store(n=24)
    data = FederatedData(store, split_of(store, [16]))
    before, labels = data.images.clone(), data.labels.clone()
    data.batch(torch.arange(24), augmenter(data, AUGMENTED))
    assert torch.equal(data.images, before)
    assert torch.equal(data.labels, labels)


def test_none_is_the_run_without_the_section():
    plain = models(federation("fedavg", model=Normed))
    none = models(federation("fedavg", model=Normed, augmentation={"preset": "none"}))
    assert all(torch.equal(a, b) for a, b in zip(plain, none, strict=True))
    changed = models(federation("fedavg", model=Normed, augmentation=AUGMENTED))
    assert not torch.equal(plain[-1], changed[-1])


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        *(("one class", name) for name in sorted(ALGORITHMS)),
        *(("several", name) for name in sorted(set(ALGORITHMS) - {"fedlc"})),  # which refuses them
    ],
)
def test_every_algorithm_takes_soft_labels(name, labels):
    if name == "fedrod" and labels == "several":
        with pytest.raises(MedflError, match="have several labels at once: take another"):
            federation(name, model=Normed, store=multilabel_store())
        return
    trainer = federation(
        name.split("-")[0],
        ALGORITHMS[name],
        model=Normed,
        store=small_store(60) if labels == "one class" else multilabel_store(),
        augmentation={"preset": "photo", "mixup": 0.5, "cutmix": 1.0},
        rounds=2,
    )
    models(trainer)
    assert all(np.isfinite(row["train_loss"]) for row in trainer.history[1:])


def test_only_training_asks_for_it(monkeypatch):
    """Evaluation sees the store's images: no batch of it is augmented."""
    asked = []
    original = FederatedData.batch

    def batch(self, rows, augment=None, *others):
        asked.append((rows.tolist(), augment is not None))
        return original(self, rows, augment, *others)

    monkeypatch.setattr(FederatedData, "batch", batch)
    trainer = federation("fedavg", augmentation=AUGMENTED, rounds=1)
    trainer.train()
    training = set(trainer.data.pooled("train").tolist())
    assert asked
    assert all(augmented and training.issuperset(rows) for rows, augmented in asked)
    count = len(asked)
    first = trainer.evaluate_global_model()
    assert trainer.evaluate_global_model() == first
    assert len(asked) == count


@pytest.mark.parametrize("name", ["fedavg", "finetune", "ditto", "scaffold-1"])
def test_neither_evaluation_nor_order_moves_a_weight(name):
    def run(**options):
        trainer = federation(
            name.split("-")[0],
            ALGORITHMS[name],
            model=Normed,
            augmentation=AUGMENTED,
            clients_per_round=2,
            **options,
        )
        return models(trainer)

    seldom = run()
    often = run(evaluate_every=1)
    assert all(torch.equal(a, b) for a, b in zip(seldom, often, strict=True))
    other = run(reverse=True)
    assert all(torch.equal(a, b) for a, b in zip(seldom, other, strict=True))


def test_rounds_clients_and_purposes_draw_differently():
    trainer = federation("fedavg", augmentation=AUGMENTED)
    tables = []
    for number in (1, 2):
        trainer.server.round = number
        for client in trainer.clients[:2]:
            for purpose in ("train", "gradient"):
                tables.append(augmenter_for(client, purpose).draw(4).table)
    assert all(not torch.equal(a, b) for k, a in enumerate(tables) for b in tables[k + 1 :])
    trainer.server.round = 1
    assert torch.equal(tables[0], augmenter_for(trainer.clients[0], "train").draw(4).table)


def test_the_whole_gradient_is_that_of_what_training_minimises():
    """With every image mirrored it is the plain gradient over mirrored images."""
    trainer = federation("scaffold", {"option": 1}, augmentation=FLIPPED)
    client: FederatedClient = trainer.clients[0]
    found, batches = client.full_gradient(trainer.server.model)
    data = trainer.data
    data.images = data.images.flip(-1)
    trainer.server.augmentation = None
    expected, _ = client.full_gradient(trainer.server.model)
    assert batches == 2
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    data.images = data.images.flip(-1)
    assert not torch.allclose(found, client.full_gradient(trainer.server.model)[0], atol=1e-4)


def test_a_dataset_without_a_preset_is_an_error_before_training():
    store = small_store(60)
    store.info = replace(store.info, modality="OT")
    with pytest.raises(MedflError, match="modality `OT` of test"):
        federation("fedavg", store=store, augmentation={"preset": "auto"})
