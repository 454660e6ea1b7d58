"""Shares of a seed: t of them give it back, fewer say nothing. Shamir, CACM 1979.

The scheme does not notice a wrong share, so every share is committed to by its dealer, and a seed
that was rebuilt is compared with what its owner committed to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from medfl.privacy.sealed.model_hash import HASH_BYTES
from medfl.privacy.sealed.payload import PayloadReader, packed
from medfl.privacy.secure_aggregation.keys import SEED_BYTES, commitment
from medfl.privacy.secure_aggregation.settings import RoundAgreement

_TAG_BYTES = 16
_NONCE = bytes(12)  # each key encrypts one message alone
SELF, MASKING = "self share", "masking share"


def share_out(seed: bytes, threshold: int, holders: int) -> list[bytes]:
    """Share 16 secret bytes out to ``holders``; the k-th share is at index k + 1."""
    from Crypto.Protocol.SecretSharing import Shamir

    # With ssss=True on one side only, what is rebuilt is wrong without a word.
    return [share for _, share in Shamir.split(threshold, holders, seed, ssss=False)]


def rebuild(shares: Sequence[tuple[int, bytes]], threshold: int) -> bytes:
    """The 16 bytes from (index, share) pairs, of which there must be at least ``threshold``."""
    from Crypto.Protocol.SecretSharing import Shamir

    # Pycryptodome takes as many shares as are needed, and no more.
    return Shamir.combine(list(shares[:threshold]), ssss=False)


@dataclass(frozen=True)
class SharePacket:
    """What a dealer sends a holder through the server, which can read the commitments alone.

    Attributes:
        dealer: whose seeds they are shares of.
        holder: who gets them.
        commitments: to the share of the self seed and to that of the masking seed, 64 bytes.
        sealed: both shares, encrypted and authenticated together with the commitments.
    """

    dealer: int
    holder: int
    commitments: bytes
    sealed: bytes

    @classmethod
    def seal(
        cls,
        key: bytes,
        dealer: int,
        holder: int,
        self_share: bytes,
        masking_share: bytes,
        agreement: RoundAgreement,
    ) -> SharePacket:
        """Encrypt a holder's two shares under the key that it has in common with the dealer."""
        commitments = share_commitment(
            SELF, agreement, dealer, holder, self_share
        ) + share_commitment(MASKING, agreement, dealer, holder, masking_share)
        sealed = ChaCha20Poly1305(key).encrypt(_NONCE, self_share + masking_share, commitments)
        return cls(dealer, holder, commitments, sealed)

    def open(self, key: bytes, agreement: RoundAgreement) -> tuple[bytes, bytes] | None:
        """The share of the self seed and that of the masking seed; None where they are not valid.

        They are not where they were changed on the way, where the dealer saw other public keys than
        the holder, and where they do not fit the commitments.
        """
        try:
            shares = ChaCha20Poly1305(key).decrypt(_NONCE, self.sealed, self.commitments)
        except InvalidTag:
            return None
        own, masking = shares[:SEED_BYTES], shares[SEED_BYTES:]
        fits = self.commits_to(SELF, own, agreement) and self.commits_to(
            MASKING, masking, agreement
        )
        return (own, masking) if fits else None

    def commits_to(self, kind: str, share: bytes, agreement: RoundAgreement) -> bool:
        """Whether a share, of the kind SELF or MASKING, is the one that the dealer dealt."""
        at = 0 if kind == SELF else HASH_BYTES
        found = share_commitment(kind, agreement, self.dealer, self.holder, share)
        return self.commitments[at : at + HASH_BYTES] == found

    @property
    def packed(self) -> bytes:
        """The packet in a payload."""
        return packed(self.dealer, self.holder) + self.commitments + self.sealed

    @classmethod
    def read(cls, reader: PayloadReader) -> SharePacket:
        """Read the next packet of a payload."""
        dealer, holder = reader.number(), reader.number()
        commitments = reader.take(2 * HASH_BYTES)
        return cls(dealer, holder, commitments, reader.take(2 * SEED_BYTES + _TAG_BYTES))


def share_commitment(
    kind: str, agreement: RoundAgreement, dealer: int, holder: int, share: bytes
) -> bytes:
    """The dealer's commitment to one share. It hides the share, which is 128 random bits."""
    return commitment(kind, agreement, share, dealer, holder)
