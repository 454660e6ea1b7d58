"""Keys: the hospitals share one that decrypts and one for checks; the server has neither.

TenSEAL has no threshold CKKS. So the server and any one hospital together read every update.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from medfl.errors import MedflError
from medfl.privacy.encryption.settings import CkksSettings


@dataclass(frozen=True)
class HospitalKeys:
    """What every hospital has, and the server must never see.

    Attributes:
        settings: the parameters.
        secret: a serialised TenSEAL context with the secret key.
        check: 32 bytes for the checksum.
        public: a serialised context without the secret key, which the server gets.
    """

    settings: CkksSettings
    secret: bytes
    check: bytes
    public: bytes

    @classmethod
    def draw(cls, settings: CkksSettings) -> HospitalKeys:
        """New keys, from the system's generator."""
        import tenseal

        context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS,
            poly_modulus_degree=settings.degree,
            coeff_mod_bit_sizes=list(settings.modulus_bits),
            n_threads=1,
        )
        context.global_scale = 2.0**settings.unit_bits
        secret = context.serialize(save_secret_key=True)
        public = context.copy()
        public.make_context_public()
        return cls(settings, secret, secrets.token_bytes(32), public.serialize())


def open_context(serialised: bytes, whose: str) -> Any:
    """The TenSEAL context of these bytes (``MedflError`` where they are none)."""
    import tenseal

    try:
        return tenseal.context_from(serialised, n_threads=1)
    except (ValueError, RuntimeError, TypeError) as error:
        raise MedflError(f"encryption: the key of {whose} cannot be read.") from error
