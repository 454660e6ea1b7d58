"""Homomorphic encryption as a link: the server adds up what the hospitals alone can read. Cheon,
Kim, Kim and Song, Homomorphic Encryption for Arithmetic of Approximate Numbers, Asiacrypt 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from medfl.chain import Link
from medfl.errors import MedflError
from medfl.files.parallel import cpu_count
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.link import SealingLink
from medfl.results.columns import Column

if TYPE_CHECKING:
    from medfl.chain.roles import Algorithm, Server
    from medfl.config import FederatedConfig
    from medfl.privacy.encryption.hospital import Hidden
    from medfl.privacy.encryption.selection import Selection
    from medfl.privacy.encryption.settings import CkksSettings
    from medfl.privacy.sealed.fixed_point import FixedPoint
    from medfl.privacy.sealed.parts import EncodedMessage, PartPlace
    from medfl.privacy.sealed.ring import RingVector


class HomomorphicEncryption(SealingLink):
    """Encrypts every message, so that the server makes a sum that it cannot read.

    It sends the encrypted sum to all hospitals. Each decrypts and checks it, and takes the
    server's step for itself; the engine does so once. So after the first round the server does not
    have the model.
    """

    class Params(SealingLink.Params):
        """How updates are written as whole numbers, the parameters of CKKS, and what is encrypted.

        degree: N of the ring.
        modulus_bits: bits of the primes; the last one is the special prime.
        unit_bits: 1 is encoded as 2^unit_bits.
        layers: patterns of parameters' names, such as [fc.*]: these alone are encrypted.
        share: this share of the parameters alone is encrypted, drawn once for the run.
        """

        degree: Literal[4096, 8192, 16384] = 4096
        modulus_bits: tuple[Annotated[int, Field(ge=20, le=60)], ...] = (54, 54)
        unit_bits: int = 20
        layers: list[str] | None = Field(None, min_length=1)
        share: float | None = Field(None, gt=0, lt=1)

    columns: ClassVar[tuple[Column, ...]] = (
        *SealingLink.columns,
        Column("encrypted", "Numbers of an update that were encrypted (%)", "%"),
    )

    def check(
        self, config: FederatedConfig, algorithm: type[Algorithm], links: Sequence[Link]
    ) -> None:
        """Refuse what needs single messages, sums without room, and two selections at once."""
        if self.params.layers is not None and self.params.share is not None:
            raise MedflError(
                f"{self.name}: `layers` and `share` both say what is encrypted: leave one of them "
                "out."
            )
        super().check(config, algorithm, links)

    def setup(self, server: Server) -> None:
        """Give every hospital its keys, and choose what is encrypted."""
        from medfl.privacy.encryption.in_process import SimulatedEncryption
        from medfl.privacy.encryption.selection import Selection

        super().setup(server)
        self._settings = self._ckks(self._points.usual.clients)
        # The cores of a run are its threads, which idle while messages are encrypted.
        self._rounds = SimulatedEncryption(
            sorted(server.local_steps),
            self._settings,
            self._configuration,
            processes=min(server.config.training.threads, cpu_count()),
        )
        self._selection: Selection | None = None
        self._share: float | None = None
        if self.params.layers is not None:
            self._selection = Selection.of_layers(self.params.layers, server)
        elif self.params.share is not None:
            stream = self.stream("selection")
            self._selection = Selection.of_share(self.params.share, server, stream)

    def open(self, number: int, clients: list[int]) -> list[int]:
        """Open the round; where they are too few for a sum, nobody takes part."""
        self._given_up, self._share = False, None
        self._rounds.open(number, clients, self.received())
        if len(clients) < FEWEST_CLIENTS:
            few = f"{self.name}: {len(clients)} clients open it, and {FEWEST_CLIENTS} must"
            return self.give_up(number, MedflError(f"{few}."))
        return clients

    def seal(self, client: int, encoded: EncodedMessage) -> bytes:
        """The ciphertexts."""
        vector = encoded.vector
        values = vector.view(f"<i{vector.itemsize}").astype("int64")
        return self._rounds.encrypt(client, values, self._hidden(encoded.places))

    def take(self, said: bytes) -> None:
        """Add ciphertexts to the server's sum."""
        self._rounds.add(said)

    def open_sum(self, number: int, places: Sequence[PartPlace]) -> RingVector | None:
        """Decrypt and check the sum."""
        from medfl.privacy.encryption.workers import WorkerDiedError

        length = sum(place.length + 1 for place in places)
        hidden = self._hidden(places) if places else None
        try:
            total = self._rounds.finish(length, hidden)
        except WorkerDiedError:  # the round may well have a sum
            raise
        except MedflError as error:
            self.give_up(number, error)
            return None
        self._share = 1.0 if hidden is None else float(hidden.mean())
        size = self._points.usual.ring_bits // 8
        return total.astype(f"<i{size}").view(f"<u{size}")

    def traffic(self, number: int, up: int, down: int) -> tuple[int, int]:
        """Count the model that opens the first round, and the sums that all hospitals get."""
        sizes = [len(self._rounds.sent)]
        if number == 1:
            sizes += [part.size for part in self._server.download().values()]
        return up, sum(sizes) * self._server.num_clients

    def end(self) -> None:
        """End the processes that encrypt."""
        self._rounds.close()

    def row(self, notes: Sequence[dict[str, float]]) -> dict[str, float | None]:
        """Say what was clipped and encrypted, and whether the round was given up."""
        return {**super().row(notes), "encrypted": self._share}

    def record(self) -> dict[str, Any]:
        """What followed from the parameters, and who can read what."""
        point, settings = self._points.usual, self._settings
        seen = {} if self._selection is None else self._selection.record()
        return {
            "scheme": "CKKS, one key for all hospitals",
            "security_bits": 128,
            "degree": settings.degree,
            "modulus_bits": list(settings.modulus_bits),
            "ciphertext_bytes": settings.ciphertext_bytes,
            "clients_per_round": point.clients,
            "value_bits": point.value_bits,
            "weight_bits": point.weight_bits,
            "sums_and_model_are_read_by": "every hospital, and not the server",
            "updates_are_read_by": "the server together with any one hospital",
            "share_in_the_clear": seen,
        }

    def point_of(self, config: FederatedConfig, clients: int) -> FixedPoint:
        """How numbers are written (``MedflError`` where a sum of ``clients`` has no room)."""
        from medfl.privacy.sealed.bits import fixed_point_of

        room = self._ckks(clients).sum_bits
        ring_bits = 32 if room < 40 else 64
        weighting = config.federated_learning.weighting
        return fixed_point_of(self.params, weighting, clients, ring_bits, room)

    def _ckks(self, clients: int) -> CkksSettings:
        from medfl.privacy.encryption.settings import CkksSettings

        p = self.params
        return CkksSettings(clients, p.degree, p.modulus_bits, p.unit_bits)

    def _hidden(self, places: Sequence[PartPlace]) -> Hidden | None:
        return None if self._selection is None else self._selection.of(places)
