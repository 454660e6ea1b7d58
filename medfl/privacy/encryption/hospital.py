"""A hospital under homomorphic encryption: it encrypts its numbers, and reads the sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Checksum, Integers
from medfl.privacy.encryption.ciphertexts import (
    blocks_of,
    check_integers,
    check_size,
    pack_ciphertexts,
    unpack_ciphertexts,
)
from medfl.privacy.encryption.keys import HospitalKeys
from medfl.privacy.encryption.settings import CHECKS
from medfl.privacy.encryption.workers import CkksWorkers
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.given import check_bytes, check_context, check_kind, check_whole
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.payload import PayloadReader
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError

_WHERE = "encryption"
Hidden = NDArray[np.bool_]
"""(d,), which numbers are encrypted; the others travel in the clear."""


class EncryptingHospital:
    """One client of an encrypted sum.

    Args:
        identity: its signing key.
        directory: the public signing keys of the server and of all hospitals.
        keys: what all hospitals share.
        workers: what encrypts and decrypts with these keys; None for this process alone.
    """

    def __init__(
        self,
        identity: SigningIdentity,
        directory: KeyDirectory,
        keys: HospitalKeys,
        workers: CkksWorkers | None = None,
    ) -> None:
        check_kind(_WHERE, SigningIdentity, identity=identity)
        check_kind(_WHERE, KeyDirectory, directory=directory)
        check_kind(_WHERE, HospitalKeys, keys=keys)
        if workers is not None:
            check_kind(_WHERE, CkksWorkers, workers=workers)
        self.identity, self.directory, self.keys = identity, directory, keys
        self._workers = workers or CkksWorkers(keys, whose=f"client {identity.sender}")

    def encrypt(
        self, context: bytes, values: Integers, model: bytes = b"", hidden: Hidden | None = None
    ) -> bytes:
        """A signed message of ``values`` (d,), encrypted.

        Args:
            context: the 32 bytes that name session, round, clients and settings.
            values: whole numbers of at most ``settings.largest_integer`` in size.
            model: hash of the global model that the values are an update of. The server need not
                know it: it goes into the checks alone, so that a sum of updates of different
                models passes nowhere.
            hidden: which of the values are encrypted; None for all.

        Raises:
            MedflError: a number is too large.
        """
        check_context(_WHERE, context)
        check_bytes(_WHERE, model=model)
        check_integers(values)
        settings, checksum = self.keys.settings, Checksum(self.keys.check, context + model)
        secret, clear = _divided(values, hidden)
        if len(clear):
            check_size(clear, settings.largest_open, settings)
            secret = np.concatenate([secret, checksum.of_open(clear)])
        blocks = blocks_of(secret, settings)
        checks = checksum.of(self.identity.sender, blocks)
        pieces = pack_ciphertexts(self._workers.encrypt(blocks, checks), settings)
        rest = clear.astype(settings.open_type).tobytes()
        return seal(self.identity, MessageKind.ENCRYPTED, context, pieces, rest)

    def read_sum(
        self,
        context: bytes,
        message: bytes,
        length: int,
        model: bytes = b"",
        hidden: Hidden | None = None,
    ) -> tuple[Integers, list[int]]:
        """The sum (d,), and whose numbers it is of, if it is what it says.

        Args:
            context: as in ``encrypt``.
            message: what ``EncryptedSum.finish`` gave.
            length: d.
            model: as in ``encrypt``.
            hidden: as in ``encrypt``.

        Raises:
            MedflError: the message is damaged, or not the server's, or any of its ciphertexts or
                the numbers in the clear are not the sum of just those hospitals' of this round.
        """
        check_context(_WHERE, context)
        check_bytes(_WHERE, model=model)
        check_whole(_WHERE, length=length)
        if length < 0:
            raise MedflError(f"{_WHERE}: length must be 0 or more, not {length}.")
        _check_hidden(hidden, length)
        envelope = unseal(
            message, MessageKind.ENCRYPTED_SUM, context, self.directory, senders={SERVER}
        )
        settings = self.keys.settings
        reader = PayloadReader(envelope.payload, SERVER)
        clients = reader.numbers()
        if len(clients) > settings.clients:
            raise RefusedMessageError(SERVER, "it names more clients than a sum can have")
        if len(clients) < FEWEST_CLIENTS:
            raise RefusedMessageError(
                SERVER, f"a sum of {len(clients)} clients gives one of them the other's update"
            )
        hidden = np.ones(length, bool) if hidden is None else hidden
        open_numbers = int(length - hidden.sum())
        due = settings.ciphertexts(length, open_numbers)
        pieces, rest = unpack_ciphertexts(reader.rest, settings)
        if len(pieces) != due:
            raise RefusedMessageError(
                SERVER, f"it has {len(pieces)} ciphertexts, and {due} are due"
            )
        if len(rest) != int(settings.open_type[-1]) * open_numbers:
            raise RefusedMessageError(SERVER, "it has other numbers in the clear than are due")
        sums, checks = self._workers.decrypt(pieces)
        checksum = Checksum(self.keys.check, context + model)
        right = checksum.holds(clients, sums, checks)
        if not right.all():
            raise MedflError(_FORGED.format(f"{int((~right).sum())} of {len(right)} ciphertexts"))
        total, numbers = np.empty(length, np.int64), sums.reshape(-1)
        total[hidden] = numbers[: length - open_numbers]
        if open_numbers:
            clear = np.frombuffer(rest, settings.open_type).astype(np.int64)
            said = numbers[length - open_numbers :][: len(CHECKS)]
            if not checksum.agrees(said, checksum.of_open(clear)):
                raise MedflError(_FORGED.format("the numbers in the clear"))
            total[~hidden] = clear
        return total, list(clients)


_FORGED = (
    "encryption: {} that the server sent are not the sum of this round's. The hospitals leave the "
    "round out: find out what the server did with them, or whether a hospital has another model."
)


def _divided(values: Integers, hidden: Hidden | None) -> tuple[Integers, Integers]:
    """The values that are encrypted, and those that travel in the clear."""
    _check_hidden(hidden, len(values))
    if hidden is None:
        return values, values[:0]
    return values[hidden], values[~hidden]


def _check_hidden(hidden: Hidden | None, length: int) -> None:
    """Refuse what does not say of each of ``length`` numbers whether it is encrypted."""
    if hidden is None:
        return
    if not isinstance(hidden, np.ndarray) or hidden.dtype != bool or hidden.shape != (length,):
        raise MedflError(
            f"{_WHERE}: hidden must say of each of the {length} numbers whether it is encrypted: a "
            f"NumPy vector of {length} booleans."
        )
