"""Hospitals and a server of encrypted sums, and what a liar makes of their messages."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from medfl.errors import MedflError
from medfl.privacy.encryption import CkksSettings, EncryptedSum, EncryptingHospital, HospitalKeys
from medfl.privacy.encryption.ciphertexts import pack_ciphertexts, unpack_ciphertexts
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.refusals import SERVER

ROUND, NEXT = bytes(32), bytes([1]) * 32


class Federation:
    """A server and its hospitals, with what each of them has."""

    def __init__(self, clients=3, settings=None):
        self.settings = settings or CkksSettings(clients)
        self.keys = HospitalKeys.draw(self.settings)
        self.server = SigningIdentity(SERVER)
        identities = [SigningIdentity(k) for k in range(clients)]
        self.directory = KeyDirectory(
            self.server.public, {k: one.public for k, one in enumerate(identities)}
        )
        self.hospitals = [EncryptingHospital(i, self.directory, self.keys) for i in identities]

    def sum(self, context=ROUND, **due):
        clients = range(len(self.hospitals))
        keys = self.keys.public, self.settings
        return EncryptedSum(self.server, self.directory, *keys, context, clients, **due)

    def signed(self, pieces, clients, context=ROUND):
        """What a server that lies would send."""
        head = np.array([len(clients), *clients], "<i8").tobytes()
        packed = pack_ciphertexts(pieces, self.settings)
        return seal(self.server, MessageKind.ENCRYPTED_SUM, context, head, packed)

    def pieces(self, message, kind=MessageKind.ENCRYPTED, context=ROUND):
        senders = {SERVER, *range(len(self.hospitals))}
        payload = unseal(message, kind, context, self.directory, senders).payload
        if kind is MessageKind.ENCRYPTED_SUM:
            payload = payload[8 * (1 + len(self.hospitals)) :]
        return unpack_ciphertexts(payload, self.settings)[0]

    def resigned(self, client, payload, context=ROUND):
        """What a hospital that lies would send."""
        return seal(self.hospitals[client].identity, MessageKind.ENCRYPTED, context, payload)


def number_of(context):
    """Which process does what it is given."""
    return os.getpid()


def told_to_end(context):
    """A cluster ends the process that waits for this one."""
    os.kill(os.getppid(), signal.SIGTERM)


def one_fails(context, first):
    """The first part is refused at once, while the second is under way for some time."""
    if first == 0:
        raise MedflError("refused")
    time.sleep(0.3)
