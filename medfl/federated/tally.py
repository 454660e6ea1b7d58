"""What a round's messages come to: their steps, bytes and losses."""

from __future__ import annotations

from dataclasses import dataclass, field

from medfl.chain import Message


@dataclass
class Tally:
    """Sums over a round's messages, which are added as they are combined."""

    answered: list[int] = field(default_factory=list)
    steps: int = 0
    gradients: int = 0
    size: int = 0
    notes: list[dict[str, float]] = field(default_factory=list)
    weight: float = 0.0
    losses: float | None = 0.0

    def add(self, message: Message) -> None:
        """Count one message."""
        self.answered.append(message.client)
        self.steps += message.steps
        self.gradients += message.gradients
        self.size += message.size
        self.notes.append(message.notes)
        self.weight += message.weight
        if message.loss is None or self.losses is None:
            self.losses = None
        else:
            self.losses += message.loss * message.weight

    @property
    def loss(self) -> float | None:
        """The weighted mean of the training losses; None where the server did not see them."""
        if self.losses is None or not self.answered:
            return None
        return self.losses / self.weight
