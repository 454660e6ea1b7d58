"""A hospital under homomorphic encryption: it encrypts its numbers, and reads the sum."""

from __future__ import annotations

import struct

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Checksum, Integers
from medfl.privacy.encryption.ciphertexts import (
    blocks_of,
    decrypt,
    encrypt,
    join_ciphertexts,
    split_ciphertexts,
)
from medfl.privacy.encryption.keys import HospitalKeys, open_context
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError

_COUNT = struct.Struct("<q")


class EncryptingHospital:
    """One client of an encrypted sum.

    Args:
        identity: its signing key.
        directory: the public signing keys of the server and of all hospitals.
        keys: what all hospitals share.
    """

    def __init__(
        self, identity: SigningIdentity, directory: KeyDirectory, keys: HospitalKeys
    ) -> None:
        self.identity, self.directory, self.keys = identity, directory, keys
        self._context = open_context(keys.secret, f"client {identity.sender}")

    def encrypt(self, context: bytes, values: Integers) -> bytes:
        """A signed message of ``values`` (d,), encrypted.

        Args:
            context: the 32 bytes that name session, round, global model and settings.
            values: whole numbers of at most ``settings.largest_integer`` in size.

        Raises:
            MedflError: a number is too large.
        """
        blocks = blocks_of(values, self.keys.settings)
        checks = Checksum(self.keys.check, context).of(self.identity.sender, blocks)
        pieces = join_ciphertexts(list(encrypt(self._context, blocks, checks)))
        return seal(self.identity, MessageKind.ENCRYPTED, context, pieces)

    def read_sum(self, context: bytes, message: bytes, length: int) -> tuple[Integers, list[int]]:
        """The sum (d,), and whose numbers it is of, if it is what it says.

        Args:
            context: as in ``encrypt``.
            message: what ``EncryptedSum.finish`` gave.
            length: d.

        Raises:
            MedflError: the message is damaged, or not the server's, or any of its ciphertexts is
                not the sum of just those hospitals' ciphertexts of this round.
        """
        envelope = unseal(
            message, MessageKind.ENCRYPTED_SUM, context, self.directory, senders={SERVER}
        )
        payload, settings = envelope.payload, self.keys.settings
        if len(payload) < _COUNT.size:
            raise RefusedMessageError(SERVER, "it is cut short")
        (count,) = _COUNT.unpack(payload[: _COUNT.size])
        end = _COUNT.size * (1 + count)
        if not 0 < count <= settings.clients or len(payload) < end:
            raise RefusedMessageError(SERVER, "it does not say whose sum it is")
        clients = [number for (number,) in _COUNT.iter_unpack(payload[_COUNT.size : end])]
        if sorted(set(clients)) != clients:
            raise RefusedMessageError(SERVER, "it names a client twice")
        if len(clients) < 2:
            raise RefusedMessageError(SERVER, "a sum of one client is that client's update")
        pieces = split_ciphertexts(payload[end:])
        if len(pieces) != settings.blocks(length):
            raise RefusedMessageError(
                SERVER, f"it has {len(pieces)} ciphertexts, and {settings.blocks(length)} are due"
            )
        sums, checks = decrypt(self._context, pieces)
        right = Checksum(self.keys.check, context).holds(clients, sums, checks)
        if not right.all():
            raise MedflError(
                f"encryption: {int((~right).sum())} of {len(right)} ciphertexts that the server "
                "sent are not the sum of this round's. The hospitals leave the round out: find out "
                "what the server did with them."
            )
        return sums.reshape(-1)[:length], clients
