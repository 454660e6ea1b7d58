"""Federated runs on volumes and on several modalities, from store-like arrays to metrics."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from federations import small_store, split_of

from medfl.config import FederatedConfig
from medfl.errors import MedflError
from medfl.federated import (
    FederatedClient,
    FederatedData,
    FederatedServer,
    FederatedTrainer,
    prediction,
)
from medfl.federated.prediction import images_at_once
from medfl.models.fusion import LateFusion


def federation(images, branches=(), **settings):
    """Two clients of 16 training samples each; the class is in the images' brightness."""
    store = small_store(n=len(images), classes=2)
    store.images = images + 80 * store.labels.astype(images.dtype).reshape(-1, *[1] * 4)
    channels = images.shape[1]
    values = {**vars(store.info), "mean": (0.35,) * channels, "std": (0.2,) * channels}
    store.info = SimpleNamespace(**{**values, "branches": branches})
    data = FederatedData(store, split_of(store, [16, 16]))
    config = FederatedConfig(num_clients=2, partition="iid", batch_size=8, **settings)
    server = FederatedServer(config, data)
    return FederatedTrainer(config, server, [FederatedClient(k, data) for k in data.clients])


def volumes(n=48, channels=1, sides=(8, 10, 9)):
    return np.random.default_rng(0).integers(0, 100, (n, channels, *sides), dtype=np.uint8)


@pytest.mark.parametrize("algorithm", ["fedavg", "fedbn", "scaffold"])
def test_a_federation_learns_from_volumes(algorithm):
    trainer = federation(volumes(), algorithm=algorithm, rounds=6, model="cnn")
    assert any(isinstance(m, torch.nn.Conv3d) for m in trainer.server.model.module.modules())
    trainer.train()
    assert trainer.evaluate_global_model()["accuracy"] >= 0.9


def test_late_fusion_takes_the_datasets_modalities_and_trains():
    trainer = federation(volumes(channels=3), (2, 1), fusion="late", model="cnn", rounds=1)
    backbone = trainer.server.model.module.backbone
    assert isinstance(backbone, LateFusion)
    assert backbone.channels == (2, 1)
    before = trainer.server.vector.clone()
    trainer.train()
    assert not torch.equal(trainer.server.vector, before)
    early = federation(volumes(channels=3), (2, 1), model="cnn")
    assert not isinstance(early.server.model.module.backbone, LateFusion)


def test_late_fusion_of_a_single_modality_is_an_error():
    with pytest.raises(MedflError, match="have a single modality"):
        federation(volumes(), fusion="late")


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold"])
@pytest.mark.parametrize("model", ["cnn", "mlp"])
def test_a_federation_learns_from_patches(model, algorithm):
    settings = {"algorithm": algorithm, "rounds": 8, "model": model, "patch": [8, 8, 8]}
    trainer = federation(volumes(), learning_rate=0.02, **settings)
    if model == "mlp":
        assert trainer.server.model.module.backbone[1].in_features == 512
    trainer.train()
    assert trainer.evaluate_global_model()["accuracy"] >= 0.9


def test_a_patch_larger_than_the_images_is_an_error():
    with pytest.raises(MedflError, match="larger than the images of 8×10×9"):
        federation(volumes(), patch=9)
    with pytest.raises(MedflError, match="has 2 sides, the images have 3"):
        federation(volumes(), patch=[8, 8])


@pytest.mark.parametrize(
    ("sides", "batch_size", "patch", "images"),
    [
        ((28, 28), 32, None, 256),
        ((224, 224), 16, None, 20),  # 2²⁰ / 50,176
        ((24, 24, 24), 16, None, 75),  # 2²⁰ / 13,824
        ((64, 64, 64), 2, None, 4),
        ((128, 128, 128), 2, None, 2),  # no more than fit, but a training batch
        ((256, 256, 256), 8, (64, 64, 64), 2),  # 2²⁵ / 2²⁴ whole volumes
        ((512, 512, 512), 8, (64, 64, 64), 1),
    ],
)
def test_large_images_are_evaluated_few_at_a_time(sides, batch_size, patch, images):
    assert images_at_once(sides, batch_size, patch) == images


def test_how_many_are_evaluated_together_changes_no_prediction(monkeypatch):
    trainer = federation(volumes(), model="cnn", rounds=1)
    trainer.train()
    rows = trainer.evaluator.data.pooled("test")

    def probabilities():
        model = trainer.server.model
        return prediction.predict(model, trainer.evaluator.data, rows, trainer.server)

    together = probabilities()
    monkeypatch.setattr(prediction, "MOST_INPUT", 3 * 8 * 10 * 9)
    assert images_at_once((8, 10, 9), 8) == 3
    np.testing.assert_allclose(probabilities(), together, atol=1e-6)
