"""Attackers who copy an honest client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medfl.chain.message import PARAMETERS, Message
from medfl.robustness.attacks.knowing import KnowingAttack
from medfl.robustness.updates import Updates

if TYPE_CHECKING:
    from torch import Tensor


class Mimic(KnowingAttack):
    """All attackers send what one honest client sends, so that it counts f + 1 times.

    Karimireddy, He and Jaggi, ICLR 2022, section 3.2: the client whose update is the longest along
    the direction in which the honest updates vary most. It is chosen by their parameters in the
    first round, and copied from then on.
    """

    effect = "attackers send what one of the others sends"

    def together(self, number: int, messages: list[Message]) -> list[Message]:
        """Choose whom to copy, and copy it where it takes part."""
        import torch

        honest = [message for message in messages if message.client not in self.attackers]
        known = int(self.state.get("copied", -1))
        if len(honest) > 1 and known not in {message.client for message in honest}:
            known = honest[_outermost(honest)].client
            if "copied" not in self.state:
                self.state["copied"] = torch.tensor(known)
        self._copied = known
        return super().together(number, messages)

    def update(
        self, name: str, honest: Updates, messages: list[Message], bad: list[Message]
    ) -> Tensor:
        """The update of the client that is copied."""
        place = next(k for k, message in enumerate(messages) if message.client == self._copied)
        return honest.combined(_one(place, len(honest)))

    def record(self) -> dict[str, Any]:
        """Say who is copied."""
        return {**super().record(), "copied": int(self.state.get("copied", -1))}


def _outermost(messages: list[Message]) -> int:
    """Whose parameters lie farthest along their first principal direction."""
    import torch

    first = PARAMETERS if PARAMETERS in messages[0].parts else next(iter(messages[0].parts))
    squared = Updates.of([message.parts[first] for message in messages]).squared_distances()
    count = len(squared)
    centre = torch.eye(count, dtype=torch.float64) - 1 / count
    products = -0.5 * centre @ squared @ centre  # ⟨u_i − μ, u_j − μ⟩
    return int(torch.linalg.eigh(products).eigenvectors[:, -1].abs().argmax())


def _one(place: int, count: int) -> Tensor:
    import torch

    return torch.zeros(count, dtype=torch.float64).index_fill_(0, torch.tensor([place]), 1.0)
