"""FedRep. Collins, Hassani, Mokhtari and Shakkottai, Exploiting Shared Representations for
Personalized Federated Learning, ICML 2021, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from medfl.algorithms.base import HyperParams, Work
from medfl.algorithms.fedper import FedPer
from medfl.config import MOST_STEPS

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel


class FedRep(FedPer):
    """The head stays with its client, which trains it first, and then the body below it.

    While one part is trained the other does not move. The statistics of batch norm do, in both.
    """

    class Params(HyperParams):
        """head_epochs: passes over the samples for the head; null: as much as for the body.

        At 0 a head keeps the values with which all clients began.
        """

        head_epochs: int | None = Field(None, ge=0, le=MOST_STEPS)

    @classmethod
    def takes_full_gradient(cls, params: Mapping[str, Any]) -> bool:
        """Whether the head has passes of its own, whose number of batches tells of the samples."""
        return cls.Params(**params).head_epochs is not None

    def extra_work(self) -> str:
        """Name what the head gets."""
        passes = self.params.head_epochs
        if passes is None:
            return "its head as much, before the rest"
        return f"its head {passes} pass{'es' * (passes != 1)}, before the rest"

    def train(self, client: Client, model: FlatModel) -> Work:
        """Train the head on the features as they are, then the body under the new head."""
        from medfl.models.parts import frozen, head_names

        head = head_names(model.module)
        body = dict(model.module.named_parameters()).keys() - head
        with frozen(model.module, body):
            epochs = self.params.head_epochs
            first = client.descend(model, "head", loss=self.loss, epochs=epochs)
        with frozen(model.module, head):
            return first + client.descend(model, "train", loss=self.loss)
