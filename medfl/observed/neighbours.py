"""The audit by two neighbours, run through the link: what moves the noise of everybody at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medfl.chain import Link
from medfl.chain.link import Backward
from medfl.config import FederatedConfig
from medfl.config.audit import BOUND, CANARY_NETWORK, AuditSettings
from medfl.models.flat import FlatModel, Gradient
from medfl.observed.audited import OnMessage, open_run
from medfl.privacy.accounting import gaussian_epsilon, least_noise
from medfl.privacy.audit.canaries import Canaries, CanaryStore
from medfl.privacy.audit.neighbours import FEWEST_RUNS, two_neighbour_epsilon

if TYPE_CHECKING:
    from torch import Tensor

    from medfl.chain.roles import Client

ROOM = 400
"""Pixels: of those that nobody has, the length of the noise tells its deviation."""
MEMBERS = 12
"""Of the smaller data set. With one more the rounded, public size is the same."""


class _Steps(Link):
    """Keeps the noised gradient of every step. It stands behind all other links."""

    stage = "round"

    def __init__(self) -> None:
        super().__init__()
        self.name = "steps"
        self.found: list[NDArray[np.float32]] = []

    def gradient(
        self, client: Client, model: FlatModel, images: Tensor, labels: Tensor, backward: Backward
    ) -> Tensor:
        """Copy what the step gets."""
        loss = backward(images, labels)
        self.found.append(Gradient(model).flat().numpy().copy())
        return loss


def single_steps(
    unit: str, members: int, noise: float, images_each: int = 1
) -> NDArray[np.float32]:
    """Noised gradients of 2,000 single steps on ``members`` canaries, (2000, 400).

    The steps follow each other, but the model stays as it was, so each is a run of its own. The
    canaries have the pixels from 0 up, and every step has all of them.

    Args:
        unit: image or patient.
        members: how many canaries there are.
        noise: z.
        images_each: images of each canary.
    """
    numbers = np.arange(ROOM)
    canaries = Canaries(numbers < members, np.zeros_like(numbers), numbers)
    store = CanaryStore(canaries, images_each)
    config = FederatedConfig.model_validate(
        {
            "federated_learning": {"num_clients": 1, "rounds": 1, "local_steps": FEWEST_RUNS},
            "model": {"name": CANARY_NETWORK},
            "training": {
                "batch_size": 20 * images_each,  # more than there are: q is 1
                "learning_rate": 1e-12,
                "device": "cpu",
                "mixed_precision": "off",
            },
            "chain": {"links": {f"dp_{unit}": {"noise_multiplier": noise, "max_grad_norm": BOUND}}},
        }
    )
    server, (client,) = open_run(config, store)
    steps = _Steps()
    server.chain.links.append(steps)
    client.join(server)
    server.open(1)
    client.train(server.model)
    return np.stack(steps.found)


def neighbours_bound(settings: AuditSettings, told: OnMessage = bool) -> float:
    """The ε that single steps on two neighbouring data sets refute; 0 where they refute none.

    The noise is that with which one step has the claimed ε by the exact formula. Two scores are
    asked, each at half of the significance: what the last canary's pixel got, and the length of
    the noise.
    """
    noise = least_noise(
        settings.epsilon, lambda z: gaussian_epsilon(1 / z, settings.delta), "one step"
    )
    found = []
    for members in (MEMBERS, MEMBERS + 1):
        found.append(single_steps(settings.unit, members, noise, settings.images_each))
        told(1)
    scores = [
        [one[:, MEMBERS] for one in found],
        [np.linalg.norm(one[:, MEMBERS + 1 :], axis=1) for one in found],
    ]
    level = settings.significance / len(scores)
    return max(
        two_neighbour_epsilon(
            without.astype(np.float64), with_one.astype(np.float64), settings.delta, level
        )
        for without, with_one in scores
    )
