"""The server under homomorphic encryption: it adds up what it cannot read."""

from __future__ import annotations

import struct
from collections.abc import Collection
from typing import Any

from medfl.errors import MedflError
from medfl.privacy.encryption.ciphertexts import (
    join_ciphertexts,
    read_ciphertext,
    split_ciphertexts,
)
from medfl.privacy.encryption.keys import open_context
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.refusals import RefusedMessageError

_COUNT = struct.Struct("<q")


class EncryptedSum:
    """One round's sum of ciphertexts; it keeps one vector of them, however many hospitals answer.

    Args:
        identity: the server's signing key.
        directory: the public signing keys.
        public: the serialised public context, ``HospitalKeys.public``.
        context: the 32 bytes that name session, round, global model and settings.
        clients: who may answer.
    """

    def __init__(
        self,
        identity: SigningIdentity,
        directory: KeyDirectory,
        public: bytes,
        context: bytes,
        clients: Collection[int],
    ) -> None:
        self.identity, self.directory = identity, directory
        self.context, self.clients = context, frozenset(clients)
        self._public = open_context(public, "the server")
        if self._public.is_private():
            raise MedflError(
                "encryption: the server was given the hospitals' secret key: give it the public "
                "context alone."
            )
        self._sums: list[Any] = []
        self.answered: list[int] = []

    def add(self, message: bytes) -> int:
        """Take in a hospital's message; whoever it is refused from, the others stay as they are.

        Returns:
            The hospital.

        Raises:
            MedflError: it is wrong, of another round, of nobody who may answer, or came before.
        """
        senders = self.clients
        envelope = unseal(message, MessageKind.ENCRYPTED, self.context, self.directory, senders)
        if envelope.sender in self.answered:
            raise RefusedMessageError(envelope.sender, "it has answered already")
        pieces = [
            read_ciphertext(self._public, piece) for piece in split_ciphertexts(envelope.payload)
        ]
        if self._sums and len(pieces) != len(self._sums):
            raise RefusedMessageError(
                envelope.sender,
                f"it has {len(pieces)} ciphertexts, and the others have {len(self._sums)}",
            )
        if self._sums:
            for total, piece in zip(self._sums, pieces, strict=True):
                total.add_(piece)
        else:
            self._sums = pieces
        self.answered.append(envelope.sender)
        return envelope.sender

    def finish(self) -> bytes:
        """The signed message of the sum, for the hospitals.

        Raises:
            MedflError: fewer than two hospitals answered.
        """
        if len(self.answered) < 2:
            raise MedflError(
                f"encryption: {len(self.answered)} hospital answered; a sum of fewer than 2 would "
                "be one hospital's update."
            )
        numbers = sorted(self.answered)
        head = b"".join(map(_COUNT.pack, [len(numbers), *numbers]))
        pieces = join_ciphertexts([total.serialize() for total in self._sums])
        return seal(self.identity, MessageKind.ENCRYPTED_SUM, self.context, head, pieces)
