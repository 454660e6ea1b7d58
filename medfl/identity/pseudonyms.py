"""Pseudonyms are keyed hashes, so that nobody without the key can try names against them.

HMAC-SHA256 (RFC 2104, FIPS 180-4), cut to 64 bits. The key never leaves the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from medfl.errors import MedflError
from medfl.files import cannot_write
from medfl.files.regular import read_text

ENVIRONMENT = "MEDFL_KEY"
KEY_FILE = ("private", "pseudonym.key")
"""Below the work folder."""
DIGITS = 16
"""Hexadecimal digits shown: 64 bits, so that a million names meet with a chance of 3e-8."""
SHORTEST_KEY = 32
"""Hexadecimal digits of a key, at least: 128 bits."""

_MAKE_ONE = "make one by `python -c 'import secrets; print(secrets.token_hex(32))'`"


class Pseudonyms:
    """Names the patients, samples and files of one dataset; those of two datasets do not link.

    Args:
        key: as ``load_key`` gives it.
        dataset: name of the dataset.
    """

    def __init__(self, key: bytes, dataset: str) -> None:
        if len(key) * 2 < SHORTEST_KEY:
            raise MedflError(
                f"the key has {len(key)} bytes; it needs at least {SHORTEST_KEY // 2}."
            )
        self._key = key
        self.dataset = dataset

    def __repr__(self) -> str:
        return f"Pseudonyms(dataset={self.dataset!r})"

    def patient(self, identifier: str) -> str:
        """``p-`` and 16 digits."""
        return self._name("p", identifier)

    def sample(self, identifier: str) -> str:
        """``s-`` and 16 digits."""
        return self._name("s", identifier)

    def file(self, name: str) -> str:
        """``f-`` and 16 digits, for one component of a path."""
        return self._name("f", name)

    def series(self, uid: str) -> str:
        """``r-`` and 16 digits."""
        return self._name("r", uid)

    def _name(self, kind: str, identifier: str) -> str:
        parts = (self.dataset, kind, identifier)
        encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
        # Each part after its length: no two triples are the same bytes.
        message = b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
        return f"{kind}-{hmac.new(self._key, message, hashlib.sha256).hexdigest()[:DIGITS]}"


def is_pseudonym(word: str) -> bool:
    """Whether a word is such as ``Pseudonyms`` gives; rows of a table have a number in it."""
    return re.fullmatch(rf"[a-z]\d*-[0-9a-f]{{{DIGITS}}}", word) is not None


def bring_key(store: str | os.PathLike[str]) -> str:
    """Say how a key comes along from another machine, so that names there are names here.

    Args:
        store: the folder of a prepared store, ``<work_root>/prepared/<dataset>``.
    """
    path = Path(store)
    key = Path(path.parent.parent, *KEY_FILE)
    return (
        f"Names depend on this key: copy {'/'.join(KEY_FILE)} from the work folder of the machine "
        f"where the split was made to {key} (mode 600), or give its content by {ENVIRONMENT}; then "
        f"prepare the data again with `medfl prepare {path.name} --force`. The key is a secret: "
        "send it encrypted, and put it neither into git nor beside results."
    )


def load_key(work_root: str | os.PathLike[str]) -> bytes:
    """Read the key of this machine: ``MEDFL_KEY``, else ``<work_root>/private/pseudonym.key``.

    The file is made when it is missing (mode 0600 in a folder of mode 0700). Several processes that
    make it at once all get the same key. A key that is too short, no hexadecimal number, or
    readable by others is a ``MedflError``; no message shows the key.
    """
    given = os.environ.get(ENVIRONMENT)
    if given:
        return _parse(given, f"the key in the environment variable {ENVIRONMENT}", _MAKE_ONE)
    path = Path(work_root, *KEY_FILE)
    try:
        if not path.exists():
            _make(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        text = read_text(path, "ascii", "replace")
    except OSError as error:
        raise cannot_write(path, error) or MedflError(
            f"the key {path} cannot be read or made ({error.strerror}); "
            f"give one by the environment variable {ENVIRONMENT}."
        ) from error
    if mode & 0o077:
        raise MedflError(
            f"the key {path} can be read by other users (mode {mode:o}): run `chmod 600` on it, "
            "or delete it if they may have read it; pseudonyms then change."
        )
    restore = "restore it from a copy, or delete it to have a new one; pseudonyms then change"
    return _parse(text, f"the key {path}", restore)


def _parse(text: str, where: str, mend: str) -> bytes:
    text = text.strip()
    if len(text) < SHORTEST_KEY:
        raise MedflError(f"{where} is too short ({len(text)} characters, not 32 or more): {mend}.")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) * 2 != len(text):
        raise MedflError(f"{where} is not an even number of hexadecimal digits: {mend}.") from None
    if len(set(key)) < 4:
        raise MedflError(f"{where} is not random: {mend}.")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    handle, temporary = tempfile.mkstemp(prefix=".key.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)  # appears whole or not at all, and never replaces another
    finally:
        os.unlink(temporary)
