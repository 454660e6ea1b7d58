"""Fine-tuned FedAvg. Yu, Bagdasaryan and Shmatikov, Salvaging Federated Learning by Local
Adaptation, 2020; Cheng, Chadha and Duchi, Fine-tuning is Fine in Federated Learning, 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from medfl.algorithms.base import HyperParams
from medfl.algorithms.fedavg import FedAvg
from medfl.config import MOST_STEPS, Strength, neutral

if TYPE_CHECKING:
    from medfl.chain.roles import Client
    from medfl.models.flat import FlatModel


class FineTune(FedAvg):
    """FedAvg; each client tunes its model on its own training data before it uses it.

    The tuning happens at evaluation and never flows back into the federation. Its rate does not
    follow the schedule of the rounds, under which it would end at nearly nothing.
    """

    evaluated = "personal"
    statistics = "averaged; then each client's own while it tunes"
    unshared_descents = ("finetune",)

    class Params(HyperParams):
        """epochs: passes over the client's training data.

        tuning_rate: η while it tunes; by default ``training.learning_rate``, whatever the schedule
        has made of it.
        """

        epochs: int = Field(1, ge=1, le=MOST_STEPS)
        tuning_rate: Strength | None = Field(None, gt=0, json_schema_extra=neutral(None))

    @property
    def tuning_rate(self) -> float:
        """The rate η at which each client tunes its model."""
        rate: float = self.params.tuning_rate or self.server.config.training.learning_rate
        return rate

    def objective(self) -> str:
        """As FedAvg; then each client's own loss, from there."""
        tuned = f"tuned with epochs = {self.params.epochs}, η = {self.tuning_rate:g}"
        return f"x: {super().objective()}; then F_i from x, {tuned}"

    def extra_work(self) -> str:
        """Name the tuning."""
        passes = self.params.epochs
        return f"its own model {passes} pass{'es' * (passes > 1)}, before it is used"

    def personal_model(self, client: Client, model: FlatModel) -> None:
        """Load the server's model, and tune it.

        The tuning draws from a random stream of its own, so evaluating changes no training.
        """
        client.receive(model)
        client.descend(model, "finetune", epochs=self.params.epochs, learning_rate=self.tuning_rate)
