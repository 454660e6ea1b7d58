"""The server under homomorphic encryption: it adds up what it cannot read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Integers
from medfl.privacy.encryption.ciphertexts import (
    pack_ciphertexts,
    read_ciphertext,
    unpack_ciphertexts,
)
from medfl.privacy.encryption.keys import open_context
from medfl.privacy.encryption.settings import CkksSettings
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.given import (
    check_bytes,
    check_clients,
    check_context,
    check_kind,
    check_whole,
)
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.payload import packed_list
from medfl.privacy.sealed.refusals import RefusedMessageError

_WHERE = "encryption"
_COUNTED = ("ciphertexts", "numbers in the clear")


class EncryptedSum:
    """One round's sum of ciphertexts; it keeps one vector of them, however many hospitals answer.

    Args:
        identity: the server's signing key.
        directory: the public signing keys.
        public: the serialised context without keys, ``HospitalKeys.public``.
        settings: the parameters.
        context: the 32 bytes that name session, round, clients and settings.
        clients: who may answer.
        length: how many whole numbers a hospital sends; None takes what the first message has.
        open_numbers: how many of them travel in the clear.

    Attributes:
        answered: who is in the sum.
    """

    def __init__(
        self,
        identity: SigningIdentity,
        directory: KeyDirectory,
        public: bytes,
        settings: CkksSettings,
        context: bytes,
        clients: Collection[int],
        length: int | None = None,
        open_numbers: int = 0,
    ) -> None:
        check_kind(_WHERE, SigningIdentity, identity=identity)
        check_kind(_WHERE, KeyDirectory, directory=directory)
        check_kind(_WHERE, CkksSettings, settings=settings)
        check_bytes(_WHERE, public=public)
        check_context(_WHERE, context)
        check_clients(_WHERE, clients)
        self.identity, self.directory, self.settings = identity, directory, settings
        self.context, self.clients = context, frozenset(clients)
        self._due: tuple[int, int] | None = None
        if length is not None:
            check_whole(_WHERE, length=length, open_numbers=open_numbers)
            if not 0 <= open_numbers <= length:
                raise MedflError(
                    f"{_WHERE}: open_numbers is {open_numbers} of a length of {length}: it must be "
                    "from 0 to the length."
                )
            self._due = settings.ciphertexts(length, open_numbers), open_numbers
        self._public = open_context(public, "the server")
        if self._public.is_private():
            raise MedflError(
                "encryption: the server was given the hospitals' secret key: give it the public "
                "context alone."
            )
        self._sums: list[Any] = []
        self._clear: Integers = np.zeros(0, np.int64)
        self.answered: list[int] = []

    def add(self, message: bytes) -> int:
        """Take in a hospital's message; whoever it is refused from, the others stay as they are.

        Returns:
            The hospital.

        Raises:
            RefusedMessageError: it is wrong, of another round, of nobody who may answer, came
                before, or has another number of ciphertexts than are due.
        """
        envelope = unseal(
            message, MessageKind.ENCRYPTED, self.context, self.directory, self.clients
        )
        sender = envelope.sender
        if sender in self.answered:
            raise RefusedMessageError(sender, "it has answered already")
        try:
            packed, rest = unpack_ciphertexts(envelope.payload, self.settings)
            pieces = [read_ciphertext(self._public, piece, self.settings) for piece in packed]
        except MedflError as error:
            raise RefusedMessageError(sender, str(error).rstrip(".")) from error
        if not pieces or len(rest) % int(self.settings.open_type[-1]):
            raise RefusedMessageError(sender, "its payload is not what it should be")
        clear = np.frombuffer(rest, self.settings.open_type).astype(np.int64)
        counts = len(pieces), len(clear)
        for what, found, due in zip(_COUNTED, counts, self._due or counts, strict=True):
            if found != due:
                raise RefusedMessageError(sender, f"it has {found} {what}, and {due} are due")
        if self.answered:
            try:
                pieces = [total + piece for total, piece in zip(self._sums, pieces, strict=True)]
            except (ValueError, RuntimeError) as error:  # such as a sum that hides nothing
                raise RefusedMessageError(
                    sender, f"its ciphertexts cannot be added to the others' ({error})"
                ) from error
            clear = self._clear + clear
        self._sums, self._clear, self._due = pieces, clear, counts
        self.answered.append(sender)
        return sender

    def finish(self) -> bytes:
        """The signed message of the sum, for the hospitals.

        Raises:
            MedflError: fewer than three hospitals answered.
        """
        if len(self.answered) < FEWEST_CLIENTS:
            raise MedflError(
                f"encryption: {len(self.answered)} hospitals answered, and at least "
                f"{FEWEST_CLIENTS} must: of two, each could read the other's update from the sum."
            )
        head = packed_list(sorted(self.answered))
        pieces = pack_ciphertexts([total.serialize() for total in self._sums], self.settings)
        clear = self._clear.astype(self.settings.open_type).tobytes()
        return seal(self.identity, MessageKind.ENCRYPTED_SUM, self.context, head, pieces, clear)
