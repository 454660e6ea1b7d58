"""The keys of one round: drawn anew for it, and derived from one another.

X25519 (RFC 7748) gives two clients a common secret, HKDF-SHA256 (RFC 5869) a key for each purpose.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from medfl.privacy.sealed.model_hash import HASH_BYTES
from medfl.privacy.sealed.payload import packed
from medfl.privacy.sealed.refusals import RefusedMessageError
from medfl.privacy.secure_aggregation.settings import RoundAgreement

KEY_BYTES = 32
_UNUSABLE = "its public key is of low order, or none"
SEED_BYTES = 16
"""Of a secret that is shared out: Shamir's scheme works on 128 bits."""


def derive(
    secret: bytes, purpose: str, agreement: RoundAgreement, *clients: int, roster: bytes = b""
) -> bytes:
    """A key of 32 bytes for one purpose.

    Args:
        secret: what only those know who may have the key.
        purpose: what it is for.
        agreement: session, round, clients, hash of the global model, and settings.
        clients: the numbers of those between whom it is.
        roster: hash of everybody's public keys of the round, where these are known.
    """
    info = b"|".join(
        (b"medfl secure aggregation 1", purpose.encode(), packed(*clients), agreement.packed)
    )
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info + roster).derive(secret)


def commitment(purpose: str, agreement: RoundAgreement, secret: bytes, *clients: int) -> bytes:
    """What binds its sender to 16 secret bytes without showing them: their hash."""
    text = packed(*clients) + agreement.context + secret
    return hashlib.sha256(b"medfl commitment " + purpose.encode() + b"|" + text).digest()


@dataclass(frozen=True)
class PublicKeys:
    """What a client tells everybody at the beginning of a round.

    Attributes:
        channel: X25519 key under which others send it their shares.
        masking: X25519 key from which pairs of clients get their masks.
        commitment: to the seed of its own mask.
    """

    channel: bytes
    masking: bytes
    commitment: bytes

    @classmethod
    def read(cls, payload: memoryview, sender: int) -> PublicKeys:
        """Read and check them from the payload of a message (``RefusedMessageError``)."""
        if payload.nbytes != 2 * KEY_BYTES + HASH_BYTES:
            raise RefusedMessageError(sender, "it does not hold two public keys and a commitment")
        taken = bytes(payload)
        for key in (taken[:KEY_BYTES], taken[KEY_BYTES : 2 * KEY_BYTES]):
            if key[-1] & 0x80:  # a bit that X25519 ignores: the key would have two spellings
                raise RefusedMessageError(sender, "its public key is not in its one spelling")
            if not _usable(key):
                raise RefusedMessageError(sender, _UNUSABLE)
        return cls(taken[:KEY_BYTES], taken[KEY_BYTES : 2 * KEY_BYTES], taken[2 * KEY_BYTES :])

    @property
    def packed(self) -> bytes:
        """The payload of the message."""
        return self.channel + self.masking + self.commitment


class RoundSecrets:
    """What a client draws for one round, from the system's generator.

    Attributes:
        channel: the private X25519 key of its channels. Nobody ever gets it.
        masking_seed: 16 bytes from which its masking key follows. Shares of it are handed out, and
            given to the server where the client drops out.
        self_seed: 16 bytes from which its own mask follows. Shares of it are handed out, and given
            to the server where the client does not drop out.
    """

    def __init__(self, agreement: RoundAgreement, client: int) -> None:
        self.channel = X25519PrivateKey.generate()
        self.masking_seed = secrets.token_bytes(SEED_BYTES)
        self.self_seed = secrets.token_bytes(SEED_BYTES)
        self.masking = masking_key(self.masking_seed, agreement, client)
        self.public = PublicKeys(
            self.channel.public_key().public_bytes_raw(),
            self.masking.public_key().public_bytes_raw(),
            commitment("self", agreement, self.self_seed, client),
        )


def masking_key(seed: bytes, agreement: RoundAgreement, client: int) -> X25519PrivateKey:
    """The private key that follows from a client's masking seed."""
    return X25519PrivateKey.from_private_bytes(derive(seed, "masking key", agreement, client))


def common_secret(private: X25519PrivateKey, public: bytes, owner: int) -> bytes:
    """What the holder of a private key and the owner of a public one both can compute.

    Raises:
        RefusedMessageError: the public key is one of those that make the secret known to everybody.
    """
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise RefusedMessageError(owner, _UNUSABLE) from None


@lru_cache(maxsize=1 << 13)
def _usable(public: bytes) -> bool:
    """Whether a public key gives a secret at all, which one of low order does not."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return False
    return True


def pair_mask_key(
    private: X25519PrivateKey,
    client: int,
    other: int,
    public: bytes,
    agreement: RoundAgreement,
    roster: bytes,
) -> bytes:
    """The key of the mask that ``client`` and ``other`` have in common; both get the same."""
    secret = common_secret(private, public, other)
    low, high = sorted((client, other))
    return derive(secret, "pair mask", agreement, low, high, roster=roster)


def self_mask_key(seed: bytes, client: int, agreement: RoundAgreement, roster: bytes) -> bytes:
    """The key of a client's own mask."""
    return derive(seed, "self mask", agreement, client, roster=roster)


def share_key(
    private: X25519PrivateKey,
    public: bytes,
    dealer: int,
    holder: int,
    agreement: RoundAgreement,
    roster: bytes,
) -> bytes:
    """The key under which ``dealer`` sends ``holder`` its shares.

    Args:
        private: the channel key of the one who computes it.
        public: the channel key of the other one.
        dealer: whose shares they are.
        holder: who gets them.
        agreement: the round's.
        roster: hash of everybody's public keys. So a share that can be read proves that its dealer
            has seen the holder's fresh key: a public key of an earlier round proves nothing.
    """
    secret = common_secret(private, public, dealer)
    return derive(secret, "share", agreement, dealer, holder, roster=roster)
