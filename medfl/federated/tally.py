"""What a round's messages come to: their cost as they are sent, their loss as they are combined."""

from __future__ import annotations

from dataclasses import dataclass, field

from medfl.chain import Message


@dataclass
class Tally:
    """Sums over a round's messages.

    What they cost is counted when they leave their clients: a link that acts on all messages
    together may drop some or unpack them, and they have travelled all the same.
    """

    participants: int = 0
    steps: int | None = 0
    gradients: int | None = 0
    forwards: int | None = 0
    size: int = 0
    answered: list[int] = field(default_factory=list)
    notes: list[dict[str, float]] = field(default_factory=list)
    weight: float = 0.0
    losses: float | None = 0.0
    refused: dict[int, str] = field(default_factory=dict)  # client → why its message was refused

    def sent(self, message: Message) -> None:
        """Count a message that leaves its client."""
        self.participants += 1
        self.steps = _plus(self.steps, message.steps)
        self.gradients = _plus(self.gradients, message.gradients)
        self.forwards = _plus(self.forwards, message.forwards)
        self.size += message.size

    def combined(self, message: Message) -> None:
        """Take the loss and the notes of a message that is combined."""
        self.answered.append(message.client)
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


def _plus(total: int | None, more: int | None) -> int | None:
    """The sum; None from the first number on that the server did not see."""
    return None if total is None or more is None else total + more
