"""Keys: the hospitals share one that decrypts and one for checks; the server has neither.

TenSEAL has no threshold CKKS. So the server and any one hospital together read every update.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from medfl.errors import MedflError
from medfl.privacy.encryption.settings import CkksSettings
from medfl.privacy.sealed.given import check_kind


@dataclass(frozen=True)
class HospitalKeys:
    """What every hospital has, and the server must never see.

    Attributes:
        settings: the parameters.
        secret: a serialised TenSEAL context with the secret key.
        check: 32 bytes for the checksum.
        public: a serialised context without any key, with which the server adds up.
    """

    settings: CkksSettings
    secret: bytes = field(repr=False)
    check: bytes = field(repr=False)
    public: bytes

    @classmethod
    def draw(cls, settings: CkksSettings) -> HospitalKeys:
        """New keys, from the system's generator.

        Hospitals encrypt with the secret key, which they have all the same: that takes half the
        time of a public key, leaves a tenth of its noise, and nobody else can encrypt anything.
        """
        import tenseal

        check_kind("encryption", CkksSettings, settings=settings)
        context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS,
            poly_modulus_degree=settings.degree,
            coeff_mod_bit_sizes=list(settings.modulus_bits),
            encryption_type=tenseal.ENCRYPTION_TYPE.SYMMETRIC,
            n_threads=1,
        )
        context.global_scale = 2.0**settings.unit_bits
        without = {f"save_{name}_keys": False for name in ("galois", "relin")}
        public = context.serialize(save_public_key=False, save_secret_key=False, **without)
        secret = context.serialize(save_public_key=False, save_secret_key=True, **without)
        return cls(settings, secret, secrets.token_bytes(32), public)


def open_context(serialised: bytes, whose: str) -> Any:
    """The TenSEAL context of these bytes (``MedflError`` where they are none)."""
    import tenseal

    try:
        return tenseal.context_from(serialised, n_threads=1)
    except (ValueError, RuntimeError, TypeError) as error:
        raise MedflError(f"encryption: the key of {whose} cannot be read.") from error
