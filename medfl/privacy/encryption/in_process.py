"""A server and its hospitals on one machine. They exchange nothing but signed messages."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection

from medfl.errors import MedflError
from medfl.privacy.encryption.checksum import Integers
from medfl.privacy.encryption.hospital import EncryptingHospital, Hidden
from medfl.privacy.encryption.keys import HospitalKeys
from medfl.privacy.encryption.server import EncryptedSum
from medfl.privacy.encryption.settings import CkksSettings
from medfl.privacy.encryption.workers import CkksWorkers
from medfl.privacy.sealed.given import check_bytes, check_clients, check_whole
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.payload import packed, packed_list
from medfl.privacy.sealed.refusals import SERVER

_WHERE = "encryption"


class SimulatedEncryption:
    """Runs rounds of encrypted sums: ``open``, then ``encrypt`` and ``add``, then ``finish``.

    All keys are drawn at its creation. Sums are exact, so they are the same whichever keys and
    whichever noise of the encryption were drawn.

    Args:
        clients: the numbers of all hospitals of the federation.
        settings: the parameters.
        configuration: what else must be the same for everybody, such as a hash.
        processes: how many encrypt and decrypt at once. Sums and bytes are the same for any number.

    Attributes:
        hospitals: number → hospital.
        total: the server's side of the round that is open.
        sent: the message of the round's sum, which every hospital of the federation gets.
    """

    def __init__(
        self,
        clients: Collection[int],
        settings: CkksSettings,
        configuration: bytes = b"",
        processes: int = 1,
    ) -> None:
        check_clients(_WHERE, clients)
        check_bytes(_WHERE, configuration=configuration)
        self.settings, keys = settings, HospitalKeys.draw(settings)
        signing = {number: SigningIdentity(number) for number in (SERVER, *clients)}
        public = {number: key.public for number, key in signing.items()}
        self._directory = KeyDirectory(public.pop(SERVER), public)
        self._server, self._public = signing[SERVER], keys.public
        self._workers = CkksWorkers(keys, processes)
        self.hospitals = {
            number: EncryptingHospital(signing[number], self._directory, keys, self._workers)
            for number in clients
        }
        self._agreed = secrets.token_bytes(32) + hashlib.sha256(configuration).digest()
        self._model = b""
        self.sent = b""

    def open(self, number: int, clients: Collection[int], model: bytes) -> None:
        """Open a round.

        Args:
            number: of the round.
            clients: who takes part.
            model: hash of the global model, which the hospitals know and the server does not.
        """
        check_whole(_WHERE, number=number)
        check_clients(_WHERE, clients)
        check_bytes(_WHERE, model=model)
        named = packed(number) + packed_list(sorted(clients))
        self._context = hashlib.sha256(b"medfl ckks round" + self._agreed + named).digest()
        self._model, self.sent = model, b""
        self.total = EncryptedSum(
            self._server, self._directory, self._public, self.settings, self._context, clients
        )

    def encrypt(self, client: int, values: Integers, hidden: Hidden | None = None) -> bytes:
        """What a hospital sends in place of ``values``, (d,) whole numbers."""
        check_whole(_WHERE, client=client)
        if client not in self.hospitals:
            raise MedflError(f"{_WHERE}: there is no client {client}.")
        return self.hospitals[client].encrypt(self._context, values, self._model, hidden)

    def add(self, message: bytes) -> int:
        """Give the server a hospital's message, and say whose it is."""
        return self.total.add(message)

    def finish(self, length: int, hidden: Hidden | None = None) -> Integers:
        """The sum (d,), as the hospitals decrypt and check it.

        All of them get the same bytes and have the same keys, so the first one's work stands for
        that of all.

        Raises:
            MedflError: too few hospitals answered, or the sum is not what the server says.
        """
        self.sent = self.total.finish()
        return self.read(length, hidden)

    def read(self, length: int, hidden: Hidden | None = None) -> Integers:
        """The sum that was sent, as a hospital decrypts and checks it."""
        reader = self.hospitals[min(self.hospitals)]
        found, _ = reader.read_sum(self._context, self.sent, length, self._model, hidden)
        return found

    def close(self) -> None:
        """End the processes that encrypt; a further round starts others."""
        self._workers.close()
