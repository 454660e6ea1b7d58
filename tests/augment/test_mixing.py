"""Mixtures: what their labels say is what their pixels are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from medfl.augment.draws import Draws
from medfl.augment.mixing import boxes, cutout, mix
from medfl.augment.presets import Recipe


def draws(size, seed=0):
    return Draws(size, torch.Generator().manual_seed(seed))


def numbered(*shape):
    """Image k is k everywhere, so that a mixture's pixels tell its parts."""
    return torch.arange(float(shape[0])).view(-1, *[1] * (len(shape) - 1)).expand(shape).clone()


@pytest.mark.parametrize("shape", [(12, 1, 6, 6), (12, 2, 4, 5, 6)])
def test_mixup_is_one_convex_combination_of_images_and_labels(shape):
    images, labels = numbered(*shape), torch.arange(12)
    mixed, soft = mix(images, labels, 12, Recipe(mixup=0.4), draws(12))
    assert soft.shape == (12, 12)
    assert soft.sum(1).numpy() == pytest.approx(1)
    assert (mixed == mixed[:, :1].flatten(2)[..., :1].view(-1, *[1] * (len(shape) - 1))).all()
    # λ·k + (1 − λ)·partner, read once off the pixels and once off the labels
    expected = soft @ torch.arange(12.0)
    assert mixed.flatten(1)[:, 0].numpy() == pytest.approx(expected.numpy(), abs=1e-5)
    shares = soft[torch.arange(12), labels]
    assert len(shares.unique()) > 6, "each sample has its own λ"


@pytest.mark.parametrize("shape", [(12, 1, 16, 16), (8, 2, 8, 8, 8)])
def test_the_labels_of_cutmix_are_the_areas(shape):
    size = shape[0]
    images, labels = numbered(*shape), torch.arange(size)
    mixed, soft = mix(images, labels, size, Recipe(cutmix=1.0), draws(size, 3))
    counts = torch.stack([(mixed == k).flatten(1).float().mean(1) for k in range(size)], dim=1)
    assert soft.numpy() == pytest.approx(counts.numpy(), abs=1e-6)
    assert 0.1 < float(soft[torch.arange(size), labels].mean()) < 1


def test_shares_have_the_beta_distributions_mean_and_variance():
    labels = torch.zeros(4000, dtype=torch.int64)
    labels[::2] = 1
    images = labels.double().view(-1, 1, 1, 1)
    alpha, shares = 0.4, []
    for seed in range(3):
        mixed, soft = mix(images, labels, 2, Recipe(mixup=alpha), draws(4000, seed))
        own = soft[torch.arange(4000), labels]
        shares.append(own[(soft > 0).all(1)])  # where the partner is of the other class
        assert mixed.flatten().numpy() == pytest.approx(soft[:, 1].numpy(), abs=1e-12)
    values = torch.cat(shares).numpy()
    assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert values.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_multi_label_vectors_stay_between_their_parts(kind):
    labels = torch.tensor([[1.0, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 1]])
    images = numbered(4, 1, 8, 8)
    mixed, soft = mix(images, labels, 3, Recipe(**{kind: 1.0}), draws(4, 1))
    assert soft.shape == labels.shape
    assert torch.equal(soft[:, 2], torch.ones(4)), "a finding in both parts stays whole"
    counts = torch.stack([(mixed == k).flatten(1).float().mean(1) for k in range(4)], dim=1)
    if kind == "cutmix":
        assert soft.numpy() == pytest.approx((counts @ labels).numpy(), abs=1e-6)
    assert float(binary_cross_entropy_with_logits(torch.zeros(4, 3), soft)) == pytest.approx(
        np.log(2)
    )


def test_the_loss_of_a_mixture_is_the_mixture_of_losses():
    images, labels = numbered(6, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1, 2])
    _, soft = mix(images, labels, 3, Recipe(mixup=1.0), draws(6))
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    each = torch.stack(
        [cross_entropy(logits, torch.full((6,), k), reduction="none") for k in range(3)]
    )
    expected = (soft.T * each).sum(0).mean()
    assert float(cross_entropy(logits, soft)) == pytest.approx(float(expected), rel=1e-6)


def test_both_kinds_take_turns():
    images, labels = numbered(6, 1, 8, 8), torch.arange(6)
    recipe, cut = Recipe(mixup=1.0, cutmix=1.0), 0
    for seed in range(200):
        mixed, _ = mix(images, labels, 6, recipe, draws(6, seed))
        cut += bool((mixed == mixed.round()).all())
    assert 75 < cut < 125  # three and a half deviations of 200 fair coins


def test_a_box_by_hand():
    inside = boxes(torch.tensor([[0.5, 0.25]]).double(), torch.tensor([0.5]).double(), (4, 8))
    expected = torch.zeros(4, 8, dtype=torch.bool)
    expected[1:3, 0:4] = True
    assert torch.equal(inside[0], expected)


def test_cutout_covers_a_box_with_the_mean():
    images = torch.rand(30, 2, 16, 16, dtype=torch.float64)
    found = images.clone()
    cutout(found, Recipe(cutout_probability=0.5, cutout=0.5), draws(30))
    untouched = [k for k in range(30) if torch.equal(found[k], images[k])]
    assert 5 <= len(untouched) <= 25
    for k in set(range(30)) - set(untouched):
        changed = (found[k] != images[k]).all(0)
        rows, columns = changed.any(1).nonzero()[:, 0], changed.any(0).nonzero()[:, 0]
        assert int(changed.sum()) == len(rows) * len(columns) <= 8 * 8
        assert found[k][:, changed].numpy() == pytest.approx(
            images[k].mean((1, 2))[:, None].expand(2, int(changed.sum())).numpy()
        )
