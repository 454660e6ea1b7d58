"""One update and what an attack rebuilds from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from medfl.privacy.attacks.cases import LINEAR, OPEN, SUM, UPDATE, Case
from medfl.privacy.attacks.linear_layer import invert_linear, linear_layer
from medfl.privacy.attacks.optimised import Target, invert
from medfl.privacy.attacks.similarity import Reconstruction, compare
from medfl.privacy.attacks.simulated import LocalTraining, SimulatedClient, taken_in

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from medfl.config.attack import Optimisation
    from medfl.models.flat import FlatModel, Shared
    from medfl.privacy.attacks.observer import Observed

VICTIM = 0
"""The client whose images are sought."""


@dataclass(frozen=True)
class Inverted:
    """What an attack found.

    Attributes:
        images: the victim's images, each beside its reconstruction.
        seen: what the attack worked from: ``UPDATE``, ``OPEN`` or ``SUM``.
        objective: what was left of the objective; 0 for the exact attack.
    """

    images: list[Reconstruction]
    seen: str
    objective: float


def reconstruct(
    case: Case,
    model: FlatModel,
    shared: Shared,
    seen: Observed,
    images: Tensor,
    labels: Tensor,
    training: LocalTraining,
    settings: Optimisation,
    generator: torch.Generator,
    told: Callable[[int], None] = lambda steps: None,
) -> Inverted | None:
    """Rebuild the victim's images from what its server has seen.

    Args:
        case: what is attacked, and with which knowledge.
        model: a network to work in; it is overwritten with what the server had sent.
        shared: which of its entries travel.
        seen: what the server received.
        images: (n, B, C, H, W), the clients' normalised images, from −1 (black) to 1 (white).
        labels: (n, B).
        training: how the clients trained.
        settings: of the optimisation.
        generator: where its first guesses come from.
        told: hears of every finished step.

    Returns:
        What was found; None where the victim is in nothing that the server has seen, as where its
        update was refused.
    """
    if VICTIM not in seen.answered or seen.before is None or seen.statistics_before is None:
        return None
    part = seen.open.get(VICTIM)
    word = UPDATE if VICTIM in seen.models else SUM if part is None else OPEN
    if part is None:
        found = seen.update(None if word == SUM else VICTIM)
    else:
        found = part.update, seen.statistics_before
    if found is None:
        return None
    update, statistics = found
    shared.put(model, seen.before, seen.statistics_before)
    whole = shared.spread(update)
    masks = None if part is None else [v.clone() for v in model.views(shared.spread(part.known))]
    shape = tuple(images.shape[2:])
    clients = slice(None) if word == SUM else slice(VICTIM, VICTIM + 1)
    if case.figure == LINEAR:
        weight, bias = linear_layer(model, images[0, 0].numel())
        parts = model.views(whole)
        of_layer = None if masks is None else (masks[weight], masks[bias])
        rows = invert_linear(parts[weight], parts[bias], of_layer)
        return Inverted(compare(_units(images[VICTIM]), _units(rows.view(-1, *shape))), word, 0.0)
    client = SimulatedClient(model, training)
    target = Target(
        update=[part.clone() for part in model.views(whole)],
        known=masks or _known(model, shared),
        statistics=_statistics(case, client, images, labels, statistics, seen.statistics_before),
        labels=labels[clients],
        low=images.new_full((shape[0],), -1.0),
        high=images.new_full((shape[0],), 1.0),
    )
    guessed, objective = invert(client, target, shape, settings, generator, told)
    return Inverted(compare(_units(images[VICTIM]), _units(guessed)), word, objective)


def _statistics(
    case: Case,
    client: SimulatedClient,
    images: Tensor,
    labels: Tensor,
    after: Tensor,
    before: Tensor,
) -> Tensor | None:
    """Batch-norm statistics as the attacker has them; None where it has none."""
    if case.statistics == "none" or not client.norms:
        return None
    if case.statistics == "own":
        return client.sent(images[VICTIM], labels[VICTIM]).statistics.detach()
    momentum = client.norms[0].momentum or 0.1
    return taken_in(before, after, momentum, client.training.steps)


def _known(model: FlatModel, shared: Shared) -> list[bool]:
    """For each parameter whether it is sent; a parameter is shared or local as a whole."""
    if shared.parameters is None:
        return [True for _ in model.module.parameters()]
    return [bool(part.any()) for part in model.views(shared.parameters)]


def _units(images: Tensor) -> NDArray[np.float64]:
    """Pixels from 0 to 1 of normalised images (B, C, H, W)."""
    return (images.detach().double() * 0.5 + 0.5).numpy()
