"""A store in memory: what partitions read of one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest


def fake_store(
    labels,
    classes=None,
    groups=None,
    sites=None,
    folds=None,
    images=None,
    task="multiclass",
):
    labels = np.asarray(labels)
    n = len(labels)
    if classes is None:
        number = labels.shape[1] if labels.ndim == 2 else labels.max() + 1
        classes = [f"class{c:02}" for c in range(number)]
    empty = np.full(n, "", "<U8")
    return SimpleNamespace(
        path="data/prepared/fake",
        ids=np.array([f"s{i:06}" for i in range(n)]),
        labels=labels,
        groups=np.array([f"g{i:06}" for i in range(n)]) if groups is None else np.array(groups),
        sites=empty if sites is None else np.array(sites),
        folds=empty if folds is None else np.array(folds),
        images=np.zeros((n, 1, 8, 8), np.uint8) if images is None else images,
        info=SimpleNamespace(
            name="fake",
            title="Fake",
            classes=tuple(classes),
            task=task,
            undecided_patients=0,
        ),
        fingerprint=lambda: "0" * 64,
    )


@pytest.fixture(scope="session")
def make_store():
    return fake_store


def patients(seed, num_patients, num_classes, sites=0, multilabel=False):
    """A store of patients with one to five images each, of uneven classes."""
    rng = np.random.default_rng(seed)
    number = rng.integers(1, 6, num_patients)
    groups = np.repeat([f"p{i:05}" for i in range(num_patients)], number)
    chance = np.arange(1, num_classes + 1) / np.arange(1, num_classes + 1).sum()
    if multilabel:
        labels = (rng.random((len(groups), num_classes)) < 0.5 * chance).astype(np.uint8)
        labels[np.arange(3 * num_classes) * 5 % len(groups), np.arange(3 * num_classes) // 3] = 1
    else:
        own = rng.choice(num_classes, num_patients, p=chance)
        own[: 8 * num_classes] = np.arange(8 * num_classes) % num_classes
        labels = np.repeat(own, number)
    place = (
        np.repeat([f"site{i}" for i in rng.integers(0, sites, num_patients)], number)
        if sites
        else None
    )
    return fake_store(
        labels,
        groups=groups,
        sites=place,
        task="multilabel" if multilabel else "multiclass",
        classes=[f"class{c:02}" for c in range(num_classes)],
    )


@pytest.fixture(scope="session")
def make_patients():
    return patients
