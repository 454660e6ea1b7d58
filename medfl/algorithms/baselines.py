"""What federation is compared with: all data in one place, and every hospital on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medfl.algorithms.base import FederatedAlgorithm

if TYPE_CHECKING:
    from medfl.models.flat import FlatModel


class Centralized(FederatedAlgorithm):
    """One model trains on all clients' data, ``local_epochs`` passes over all of it in each round.

    With ``local_steps`` it takes as many steps as the clients of a round do together.
    """

    statistics = "of the one pooled model"
    pooled = True
    communicates = False

    def objective(self) -> str:
        """Every sample counts alike, as with weights by samples."""
        uniform = self.server.config.federated_learning.weighting == "uniform"
        whatever = ", whatever `weighting` says" if uniform else ""
        return f"the mean loss of all training samples{whatever}"


class Local(FederatedAlgorithm):
    """Every client trains alone, and nothing is exchanged.

    Over all rounds each does the work that it would do in a federation in the mean.
    Each client's model is evaluated on all clients' test samples, of which the results give the
    mean over clients, and on the client's own. A hospital that took no part asks them all, and
    takes the mean of their answers.
    """

    evaluated = "local"
    unseen = "answers"
    statistics = "each client's own"
    participation = "all"
    communicates = False

    def objective(self) -> str:
        """As many objectives as clients."""
        return "F_i: each client's own mean loss, by a model of its own"

    def local_names(self, model: FlatModel) -> set[str]:
        """Name every parameter and buffer: all of them stay with their client."""
        names = {name for name, _ in model.module.named_parameters()}
        return names | {name for name, _ in model.module.named_buffers()}
