"""What is said where a message is not taken in."""

from __future__ import annotations

from medfl.errors import MedflError

SERVER = -1
"""The sender of the server's messages; clients are called by numbers from 0."""


def party(sender: int | None) -> str:
    """How a sender is called in a sentence."""
    if sender is None:
        return "an unknown sender"
    return "the server" if sender == SERVER else f"client {sender}"


class RefusedMessageError(MedflError):
    """A message that is not taken in; whoever refuses it is left as it was before.

    Attributes:
        sender: who the message says it is from; None where that cannot be read.
    """

    def __init__(self, sender: int | None, reason: str) -> None:
        super().__init__(f"a message of {party(sender)} is refused and left out: {reason}.")
        self.sender = sender
        self.reason = reason

    def __reduce__(self) -> tuple[type[RefusedMessageError], tuple[int | None, str]]:
        """Pickle by sender and reason, so that an error crosses processes."""
        return type(self), (self.sender, self.reason)
