"""Images from an update by optimisation. Geiping, Bauermeister, Dröge and Moeller, Inverting
Gradients - How easy is it to break privacy in federated learning?, NeurIPS 2020, equation 4:
minimise 1 − cos(simulated update, seen update) + α·TV(images) by signed Adam inside the range of
pixels. Where batch-norm statistics are seen, their distance is added, as Yin et al., See through
Gradients, CVPR 2021 do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from medfl.privacy.attacks.simulated import EPSILON, SimulatedClient

if TYPE_CHECKING:
    from medfl.config.attack import Optimisation

Known = bool | Tensor
MILESTONES = (3 / 8, 5 / 8, 7 / 8)  # where the step falls to a tenth, as in the paper's code


@dataclass(frozen=True)
class Target:
    """What the attack works from.

    Attributes:
        update: one tensor for each parameter: what is seen of one client, or of the mean of all.
        known: for each parameter whether it was seen at all, or which of its entries were.
        statistics: (b,), batch-norm statistics of the images as ``Sent`` has them; None where they
            are not seen.
        labels: (n, B), the labels of each client's images. The attacker is given them, which can
            only help it.
        low, high: (C,), the normalised values of black and white.
    """

    update: list[Tensor]
    known: Sequence[Known]
    statistics: Tensor | None
    labels: Tensor
    low: Tensor
    high: Tensor


def invert(
    client: SimulatedClient,
    target: Target,
    shape: tuple[int, ...],
    settings: Optimisation,
    generator: torch.Generator,
    told: Callable[[int], None] = lambda steps: None,
) -> tuple[Tensor, float]:
    """Reconstruct the images of n clients with B images each from the mean of their updates.

    Args:
        client: simulates a client's training.
        target: what was seen.
        shape: (C, H, W) of one image.
        settings: of the optimisation.
        generator: where the first guesses come from.
        told: hears of every finished step.

    Returns:
        Normalised images (n·B, C, H, W) of the attempt with the lowest objective, and the
        objective.
    """
    best: tuple[Tensor, float] | None = None
    for _ in range(settings.restarts):
        images, value = _attempt(client, target, shape, settings, generator, told)
        if best is None or value < best[1]:
            best = images, value
    assert best is not None
    return best


def _attempt(
    client: SimulatedClient,
    target: Target,
    shape: tuple[int, ...],
    settings: Optimisation,
    generator: torch.Generator,
    told: Callable[[int], None],
) -> tuple[Tensor, float]:
    n, per_client = target.labels.shape
    low, high = (b.view(1, -1, *[1] * (len(shape) - 1)) for b in (target.low, target.high))
    images = torch.randn((n * per_client, *shape), generator=generator)
    images = images.clamp(low, high).requires_grad_()
    optimizer = torch.optim.Adam([images], lr=settings.step)
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, [round(part * settings.iterations) for part in MILESTONES], gamma=0.1
    )
    kept, lowest = images.detach().clone(), math.inf
    for _ in range(settings.iterations):
        value = _objective(client, target, images, settings)
        if (now := float(value.detach())) < lowest:
            kept, lowest = images.detach().clone(), now
        (images.grad,) = torch.autograd.grad(value, [images])
        images.grad.sign_()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            images.clamp_(low, high)
        told(1)
    return kept, lowest


def _objective(
    client: SimulatedClient, target: Target, images: Tensor, settings: Optimisation
) -> Tensor:
    per_client = target.labels.shape[1]
    parts = [
        client.sent(one, labels)
        for one, labels in zip(images.split(per_client), target.labels, strict=True)
    ]
    update = [
        torch.stack(same).mean(dim=0) for same in zip(*(p.update for p in parts), strict=True)
    ]
    value = 1 - cosine(update, target.update, target.known)
    value = value + settings.total_variation * total_variation(images)
    if target.statistics is not None and settings.statistics_weight:
        statistics = torch.stack([part.statistics for part in parts]).mean(dim=0)
        value = value + settings.statistics_weight * _apart(statistics, target.statistics, client)
    return value


def cosine(one: list[Tensor], other: list[Tensor], known: Sequence[Known]) -> Tensor:
    """Cosine of the angle between two updates over the entries that are known."""
    triples = zip(one, other, known, strict=True)
    pairs = [(a, b) if seen is True else (a * seen, b * seen) for a, b, seen in triples]
    dot = torch.stack([(a * b).sum() for a, b in pairs]).sum()
    lengths = [torch.stack([(t[k] ** 2).sum() for t in pairs]).sum().sqrt() for k in (0, 1)]
    return dot / (lengths[0] * lengths[1]).clamp_min(1e-30)


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels of images (B, C, H, W), over all axes."""
    sides = range(2, images.ndim)
    return torch.stack([images.diff(dim=side).abs().mean() for side in sides]).sum()


def _apart(statistics: Tensor, seen: Tensor, client: SimulatedClient) -> Tensor:
    """How far statistics are from those that were seen, by channel in units of the latter."""
    channels = [norm.num_features for norm in client.norms for _ in (0, 1)]
    ours, theirs = statistics.split(channels), seen.split(channels)
    total = statistics.new_zeros(())
    for at in range(0, len(ours), 2):
        variance = theirs[at + 1].clamp_min(0) + EPSILON
        total = total + ((ours[at] - theirs[at]) ** 2 / variance).mean()
        total = total + (((ours[at + 1] - theirs[at + 1]) / variance) ** 2).mean()
    return total / len(client.norms)
