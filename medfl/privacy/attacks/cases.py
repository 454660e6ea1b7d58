"""Which updates the inversion attacks, figure by figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medfl.config.attack import PROTECTIONS, InversionSettings

Statistics = Literal["none", "running", "own"]
LINEAR, BATCHES, PROTECTED, STATISTICS_SENT = "linear", "batches", "protections", "statistics"
INVERSION_FIGURES = {
    LINEAR: "Read off a linear layer, exactly",
    BATCHES: "Sought by optimisation: images in a batch",
    PROTECTED: "Sought by optimisation: protections",
    STATISTICS_SENT: "Sought by optimisation: batch-norm statistics",
}
"""Figure → its title."""
UPDATE, OPEN, SUM = "update", "open part", "sum"
"""What is attacked: a client's update; what of it is not encrypted; or the sum of all clients'."""


@dataclass(frozen=True)
class Case:
    """One row of a figure.

    Attributes:
        figure: the figure.
        arm: the protections, or an arm of the params file.
        batch: B, images of each client.
        network: the network's name.
        normalization: of the network.
        statistics: which batch-norm statistics the attacker has: none, the running ones that
            FedAvg sends, or the batch's own.
    """

    figure: str
    arm: str
    batch: int
    network: str
    normalization: Literal["batch", "group"] = "group"
    statistics: Statistics = "none"

    @property
    def name(self) -> str:
        """A word for tables and files."""
        if self.figure == BATCHES:
            return f"batch-{self.batch}"
        if self.figure == STATISTICS_SENT:
            norm = f"{self.normalization}-norm"
            return norm if self.normalization == "group" else f"{norm}-{self.statistics}-sent"
        return self.arm if self.batch == 1 else f"{self.arm}-batch-{self.batch}"


def inversion_cases(figure: str, arms: Sequence[str], settings: InversionSettings) -> list[Case]:
    """The rows of a figure, from top to bottom.

    Args:
        figure: one of ``INVERSION_FIGURES``.
        arms: the protections and arms that are attacked; the first is the plain one.
        settings: of the attack.
    """
    plain, network = next(iter(PROTECTIONS)), settings.network
    if figure == LINEAR:
        rest = [batch for batch in settings.batches if batch != 1]
        return [
            *(Case(figure, arm, 1, "mlp") for arm in arms),
            *(Case(figure, plain, batch, "mlp") for batch in rest),
        ]
    if figure == BATCHES:
        return [Case(figure, plain, batch, network) for batch in settings.batches]
    if figure == PROTECTED:
        return [Case(figure, arm, 1, network) for arm in arms]
    sent: tuple[Statistics, ...] = ("none", "running", "own")
    return [
        *(Case(figure, plain, 1, network, "batch", kind) for kind in sent),
        Case(figure, plain, 1, network, "group"),
    ]
