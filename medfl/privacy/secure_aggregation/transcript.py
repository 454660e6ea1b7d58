"""What went over the wire in a round, for tests, audits and the counting of bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from medfl.privacy.sealed.envelope import MessageKind
from medfl.privacy.sealed.refusals import SERVER


@dataclass(frozen=True)
class SentMessage:
    """One message on its way.

    Attributes:
        kind: what it is.
        sender: who sent it.
        receiver: who gets it.
        size: its bytes.
        message: the message itself; empty where the transcript counts alone.
    """

    kind: MessageKind
    sender: int
    receiver: int
    size: int
    message: bytes = field(repr=False)


class Transcript:
    """All messages, in their order.

    Args:
        keep: whether the messages themselves are kept, and not their sizes alone.
    """

    def __init__(self, keep: bool = True) -> None:
        self.keep = keep
        self.sent: list[SentMessage] = []

    def add(self, kind: MessageKind, sender: int, receiver: int, message: bytes) -> None:
        """Write one message down."""
        kept = message if self.keep else b""
        self.sent.append(SentMessage(kind, sender, receiver, len(message), kept))

    def bytes_up(self) -> int:
        """Bytes from the clients to the server."""
        return sum(one.size for one in self.sent if one.receiver == SERVER)

    def besides_vectors(self) -> tuple[int, int]:
        """Bytes up and down of all but the masked vectors."""
        vectors = sum(one.size for one in self.sent if one.kind == MessageKind.MASKED)
        return self.bytes_up() - vectors, self.bytes_down()

    def bytes_down(self) -> int:
        """Bytes from the server to the clients."""
        return sum(one.size for one in self.sent if one.sender == SERVER)
