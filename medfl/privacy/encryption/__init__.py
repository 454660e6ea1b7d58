"""Homomorphic encryption: the server adds up ciphertexts that the hospitals alone can read.

CKKS (Cheon, Kim, Kim and Song, Asiacrypt 2017) through TenSEAL. All hospitals share one key, so the
server and any one of them together read everything.
"""

from medfl.privacy.encryption.hospital import EncryptingHospital
from medfl.privacy.encryption.in_process import SimulatedEncryption
from medfl.privacy.encryption.keys import HospitalKeys
from medfl.privacy.encryption.server import EncryptedSum
from medfl.privacy.encryption.settings import CkksSettings
from medfl.privacy.encryption.workers import CkksWorkers

__all__ = [
    "CkksSettings",
    "CkksWorkers",
    "EncryptedSum",
    "EncryptingHospital",
    "HospitalKeys",
    "SimulatedEncryption",
]
