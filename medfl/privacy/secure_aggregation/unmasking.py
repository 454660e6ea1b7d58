"""Rebuilds the seeds of a round from shares, and says which masks the sum has too many."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from medfl.privacy.sealed.envelope import Envelope
from medfl.privacy.sealed.payload import PayloadReader
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.secure_aggregation.dealers import Dealers
from medfl.privacy.secure_aggregation.keys import (
    SEED_BYTES,
    commitment,
    masking_key,
    pair_mask_key,
    self_mask_key,
)
from medfl.privacy.secure_aggregation.refusals import RoundAbortedError
from medfl.privacy.secure_aggregation.roster import Roster
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.sharing import MASKING, SELF, SharePacket, rebuild


class Unmasking:
    """The server's last step: for each client one seed is rebuilt, never both.

    Args:
        agreement: the round's.
        threshold: how many shares give a seed back.
        roster: everybody's public keys.
        dealers: who dealt shares to whom.
        packets: dealer → holder → what was handed on, with the dealer's commitments.
        present: the clients that are in the sum.
    """

    def __init__(
        self,
        agreement: RoundAgreement,
        threshold: int,
        roster: Roster,
        dealers: Dealers,
        packets: Mapping[int, Mapping[int, SharePacket]],
        present: Collection[int],
    ) -> None:
        self._agreement = agreement
        self._threshold = threshold
        self._roster = roster
        self._dealers = dealers
        self._packets = packets
        self._present = frozenset(present)
        self._shares: dict[int, list[tuple[int, bytes]]] = {
            client: [] for client in dealers.witnesses
        }
        self._heard: set[int] = set()

    def take(self, signed: Envelope) -> None:
        """Take in one client's shares, if all of them are those that were dealt to it.

        Raises:
            RefusedMessageError: it is the second answer, cannot be read, or a share in it is wrong.
        """
        holder = signed.sender
        if holder in self._heard:
            raise RefusedMessageError(holder, "it is the second one, and the first one stands")
        reader = PayloadReader(signed.payload, holder)
        shares = dict.fromkeys(reader.numbers(), b"")
        for dealer in shares:
            shares[dealer] = reader.take(SEED_BYTES)
        reader.end()
        for dealer, share in shares.items():
            packet = self._packets.get(dealer, {}).get(holder)
            kind = SELF if dealer in self._present else MASKING
            if packet is None or not packet.commits_to(kind, share, self._agreement):
                raise RefusedMessageError(
                    holder, f"its share of client {dealer} is not the one that was dealt to it"
                )
        for dealer, share in shares.items():
            index = 1 + self._dealers.witnesses[dealer].holders.index(holder)
            self._shares[dealer].append((index, share))
        self._heard.add(holder)

    def keys(self) -> tuple[list[bytes], list[bytes]]:
        """The keys of the masks to add to the sum, and of those to subtract from it.

        Raises:
            RoundAbortedError: too few shares of a client came, or what they give is not its seed.
        """
        plus: list[bytes] = []
        minus: list[bytes] = []
        digest = self._roster.digest
        for client in self._dealers.witnesses:
            seed = self._seed(client)
            if client in self._present:
                minus.append(self_mask_key(seed, client, self._agreement, digest))
                continue
            private = masking_key(seed, self._agreement, client)
            for other in self._dealers.neighbours[client]:
                if other in self._present:
                    public = self._roster.keys[other].masking
                    key = pair_mask_key(private, client, other, public, self._agreement, digest)
                    # The other one added it if the dropped client's number is the higher one.
                    (minus if client > other else plus).append(key)
        return plus, minus

    def _seed(self, client: int) -> bytes:
        """The seed of a client's own mask, or where it dropped out that of its masking key."""
        shares = self._shares[client]
        if len(shares) < self._threshold:
            self._abort(
                f"{len(shares)} shares of client {client} came, and at least {self._threshold} must"
            )
        seed = rebuild(shares, self._threshold)
        public = self._roster.keys[client]
        if client in self._present:
            fits = commitment("self", self._agreement, seed, client) == public.commitment
        else:
            key = masking_key(seed, self._agreement, client).public_key()
            fits = key.public_bytes_raw() == public.masking
        if not fits:
            self._abort(f"client {client} dealt shares that do not give back its seed")
        return seed

    def _abort(self, reason: str) -> None:
        raise RoundAbortedError(self._agreement.number, reason)
