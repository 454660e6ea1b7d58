"""Files on the disk, whatever they hold: written whole or not at all, read, walked and unpacked.

This room lies below all others, and knows nothing of images or datasets.
"""

from medfl.files.locking import HeldError, is_locked, locked, take_lock, take_soon
from medfl.files.own_hash import OWN_HASH, is_whole, own_hash
from medfl.files.reading import (
    load_json,
    parse_json,
    read_json,
    read_yaml,
    sha256_file,
    unusual_yaml,
)
from medfl.files.writing import (
    atomic_path,
    cannot_write,
    write_csv,
    write_json,
    write_text,
    write_yaml,
)

__all__ = [
    "OWN_HASH",
    "HeldError",
    "atomic_path",
    "cannot_write",
    "is_locked",
    "is_whole",
    "load_json",
    "locked",
    "own_hash",
    "parse_json",
    "read_json",
    "read_yaml",
    "sha256_file",
    "take_lock",
    "take_soon",
    "unusual_yaml",
    "write_csv",
    "write_json",
    "write_text",
    "write_yaml",
]
