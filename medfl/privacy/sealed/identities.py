"""Long-term keys: who a message is from. Ed25519, RFC 8032."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from medfl.errors import MedflError
from medfl.privacy.sealed.given import check_by_client, check_bytes, check_secret, check_whole
from medfl.privacy.sealed.refusals import SERVER, party

SIGNATURE_BYTES = 64
_REMEMBERED = 1 << 16
_WHERE = "the directory of keys"


class SigningIdentity:
    """The long-term signing key of one client or of the server.

    Args:
        sender: the client's number, or ``SERVER``.
        private: its 32 secret bytes, as ``private`` gave them; None draws a new key from the
            system's generator.
    """

    def __init__(self, sender: int, private: bytes | None = None) -> None:
        check_whole("the signing key", sender=sender)
        self.sender = sender
        if private is not None:
            check_secret(f"the signing key of {party(sender)}", private=private)
        if private is None:
            self._key = Ed25519PrivateKey.generate()
        else:
            try:
                self._key = Ed25519PrivateKey.from_private_bytes(private)
            except ValueError:
                raise MedflError(
                    f"the signing key of {party(sender)} must have 32 bytes, not {len(private)}."
                ) from None

    @property
    def private(self) -> bytes:
        """The 32 secret bytes, which must never leave their owner."""
        return self._key.private_bytes_raw()

    @property
    def public(self) -> bytes:
        """The 32 bytes that the directory has of it."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        """The signature of ``text``, 64 bytes."""
        return self._key.sign(text)


class KeyDirectory:
    """The public signing keys of the server and of all clients.

    Everybody must have got it from somewhere that is trusted, and not from the server: whoever may
    write it can read every update.

    Args:
        server: the server's public key, 32 bytes.
        clients: number → public key, for every client of the federation.

    Raises:
        MedflError: a key is none, two have the same, or a number is negative.
    """

    def __init__(self, server: bytes, clients: Mapping[int, bytes]) -> None:
        check_by_client(_WHERE, "clients", clients)
        keys = {SERVER: server, **clients}
        for number, key in keys.items():
            check_bytes(_WHERE, **{f"the key of {party(number)}": key})
        if len(keys) != len(clients) + 1 or any(number < SERVER for number in keys):
            raise MedflError(f"{_WHERE}: clients are called by numbers from 0 on.")
        (key, count), *_ = Counter(keys.values()).most_common(1)
        if count > 1:
            same = [party(sender) for sender, other in keys.items() if other == key]
            raise MedflError(
                f"{_WHERE}: {' and '.join(same)} have the same key. Each must draw its own."
            )
        # Clients of one process read the same signed words of the others.
        self._right: set[tuple[int, bytes, bytes]] = set()
        self._keys: dict[int, Ed25519PublicKey] = {}
        for sender, key in keys.items():
            try:
                self._keys[sender] = Ed25519PublicKey.from_public_bytes(key)
            except ValueError:
                raise MedflError(
                    f"{_WHERE}: that of {party(sender)} is no Ed25519 public key of 32 bytes."
                ) from None

    def __contains__(self, sender: object) -> bool:
        return sender in self._keys

    def verifies(self, sender: int, signature: bytes, text: bytes) -> bool:
        """Whether ``signature`` is that of ``sender`` on ``text``."""
        if (sender, signature, text) in self._right:
            return True
        try:
            self._keys[sender].verify(signature, text)
        except (KeyError, InvalidSignature):
            return False
        if len(self._right) == _REMEMBERED:
            self._right.clear()
        self._right.add((sender, signature, text))
        return True
