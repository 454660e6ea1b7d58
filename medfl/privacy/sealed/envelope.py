"""How every message travels: a header, a payload, and a signature on both."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum

from medfl.privacy.sealed.identities import (
    SIGNATURE_BYTES,
    KeyDirectory,
    SigningIdentity,
)
from medfl.privacy.sealed.refusals import RefusedMessageError

Buffer = bytes | bytearray | memoryview
CONTEXT_BYTES = 32
_MAGIC = b"medflSA1"
# Magic, kind, sender, context, bytes of the payload; little endian.
_HEADER = struct.Struct(f"<8sBq{CONTEXT_BYTES}sQ")
OVERHEAD = _HEADER.size + SIGNATURE_BYTES
"""Bytes that an envelope adds to its payload."""


class MessageKind(IntEnum):
    """What a message is, in the order of a round."""

    OPENING = 1
    KEYS = 2
    ROSTER = 3
    WITNESS = 4
    SHARES = 5
    DELIVERY = 6
    MASKED = 7
    SURVIVORS = 8
    CONFIRMATION = 9
    REQUEST = 10
    ANSWER = 11
    ENCRYPTED = 12
    ENCRYPTED_SUM = 13
    STATEMENT = 14

    @property
    def words(self) -> str:
        """What messages of this kind are called in a sentence."""
        return _WORDS.get(self, self.name.lower())


_WORDS = {
    MessageKind.MASKED: "masked vectors",
    MessageKind.CONFIRMATION: "confirmations",
    MessageKind.ANSWER: "answers",
    MessageKind.ENCRYPTED: "encrypted updates",
    MessageKind.ENCRYPTED_SUM: "encrypted sums",
}


@dataclass(frozen=True)
class Envelope:
    """A message whose signature was found right.

    Attributes:
        sender: who signed it.
        payload: what is in it; a view of the message, which must not be changed.
        message: the whole message.
    """

    sender: int
    payload: memoryview
    message: bytes


def seal(identity: SigningIdentity, kind: MessageKind, context: bytes, *payload: Buffer) -> bytes:
    """Serialise and sign a message, whose payload may come in pieces.

    Args:
        identity: who signs.
        kind: what it is.
        context: the 32 bytes that name the session, the round, the model and the settings.
        payload: its pieces.
    """
    size = sum(memoryview(piece).nbytes for piece in payload)
    header = _HEADER.pack(_MAGIC, kind, identity.sender, context, size)
    return b"".join((header, *payload, identity.sign(_signed(header, payload))))


def unseal(
    message: Buffer,
    kind: MessageKind,
    context: bytes | None,
    directory: KeyDirectory,
    senders: Collection[int],
    carrier: int | None = None,
) -> Envelope:
    """Read a message, and check everything about it that is not in its payload.

    Args:
        message: what came.
        kind: what is expected.
        context: that of the round; None takes any, for the message that says it.
        directory: the public keys.
        senders: those who may send it.
        carrier: in whose message it came, if in one.

    Raises:
        RefusedMessageError: it is no message, truncated, of another kind, round, session, model or
            configuration, of nobody who may send it, or its signature is wrong.
    """
    if not isinstance(message, Buffer):
        raise RefusedMessageError(carrier, f"it must be bytes, not {type(message).__name__}")
    view = memoryview(message).cast("B")
    if view.nbytes < OVERHEAD or bytes(view[: len(_MAGIC)]) != _MAGIC:
        raise RefusedMessageError(carrier, "it is truncated, or no message of medfl")
    header = bytes(view[: _HEADER.size])
    _, number, sender, found, size = _HEADER.unpack(header)
    if sender not in senders or sender not in directory:
        raise RefusedMessageError(sender, "nothing is expected from there in this round")
    payload, signature = view[_HEADER.size : -SIGNATURE_BYTES], bytes(view[-SIGNATURE_BYTES:])
    if payload.nbytes != size:
        raise RefusedMessageError(sender, f"it has {payload.nbytes} bytes, not {size} as it says")
    if not directory.verifies(sender, signature, _signed(header, (payload,))):
        raise RefusedMessageError(
            sender, "its signature is not that of the key which the directory has for this sender"
        )
    if number != kind:
        found_kind = MessageKind(number).words if number in set(MessageKind) else "unknown"
        reason = f"it is of the kind `{found_kind}`, and `{kind.words}` are due"
        raise RefusedMessageError(sender, reason)
    if context is not None and found != context:
        raise RefusedMessageError(
            sender,
            "it is of another round or session, of another global model, or of other settings",
        )
    return Envelope(sender, payload, bytes(message) if kind in _KEPT else b"")


# Of these the whole message is handed on, with its signature.
_KEPT = {MessageKind.KEYS, MessageKind.WITNESS, MessageKind.CONFIRMATION}


def _signed(header: bytes, payload: Iterable[Buffer]) -> bytes:
    """What is signed: Ed25519 itself would read a large payload twice."""
    digest = hashlib.sha256()
    for piece in payload:
        digest.update(piece)
    return header + digest.digest()
