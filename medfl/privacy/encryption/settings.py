"""Parameters of CKKS for a plain sum of whole numbers, and the range that they leave.

A sum needs no multiplication of ciphertexts, so the smallest ring that is 128-bit secure with room
for one message is enough: degree 4096 with the primes [54, 54] (109 bits is the most that the
standard allows there: Albrecht et al., Homomorphic Encryption Standard, 2018, table 1). The usual
8192 with [60, 40, 40] takes twice the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from medfl.errors import MedflError
from medfl.privacy.sealed import FEWEST_CLIENTS
from medfl.privacy.sealed.given import check_whole, told_as

MOST_MODULUS_BITS = {4096: 109, 8192: 218, 16384: 438}
"""Degree → bits of the whole modulus with 128-bit security, for ternary secrets."""
CHECKS = ((33554393, 0), (33554383, 1), (33554393, 2), (33554383, 3))
"""Of each check slot the prime below 2^25, modulo which it is computed, and its number.

Two different primes: what is a multiple of both at once is larger than any sum can be.
"""


_DOUBLE_SUM = 2**44  # encoding in double precision keeps larger sums to less than 1/8 no more


@dataclass(frozen=True)
class CkksSettings:
    """How whole numbers are encrypted.

    Attributes:
        clients: n, the most clients of one sum.
        degree: N of the ring; N/2 numbers stand in a ciphertext.
        modulus_bits: bits of the primes; the last one is the special prime of key switching.
        unit_bits: 1 is encoded as 2^unit_bits. The largest noise of a ciphertext is about 2^10, of
            a sum of n about 2^10 √n, so that rounding removes it.

    Raises:
        MedflError: less than 128 bits of security, or no room for the sum.
    """

    clients: int
    degree: int = 4096
    modulus_bits: tuple[int, ...] = (54, 54)
    unit_bits: int = 20

    def __post_init__(self) -> None:
        whole = {"clients": self.clients, "degree": self.degree, "unit_bits": self.unit_bits}
        check_whole("encryption", **whole)
        if not isinstance(self.modulus_bits, tuple | list):
            raise MedflError(
                "encryption: modulus_bits must be the bits of each prime, such as (54, 54), not "
                f"{told_as(self.modulus_bits)}."
            )
        for bits in self.modulus_bits:
            check_whole("encryption", **{"each of modulus_bits": bits})
        most = MOST_MODULUS_BITS.get(self.degree)
        if most is None:
            known = ", ".join(map(str, MOST_MODULUS_BITS))
            raise MedflError(f"encryption: degree is {self.degree}; choose one of {known}.")
        if len(self.modulus_bits) < 2 or sum(self.modulus_bits) > most:
            raise MedflError(
                f"encryption: modulus_bits are {list(self.modulus_bits)}; needed are two or more "
                f"with at most {most} bits in all, which 128-bit security leaves at {self.degree}."
            )
        if not 20 <= min(self.modulus_bits) <= max(self.modulus_bits) <= 60:
            raise MedflError(
                f"encryption: modulus_bits are {list(self.modulus_bits)}; each must be 20 to 60."
            )
        if self.clients < FEWEST_CLIENTS:
            raise MedflError(
                f"encryption: a sum needs at least {FEWEST_CLIENTS} clients, not {self.clients}: "
                "of two, each could read the other's update from it."
            )
        if not 18 <= self.unit_bits <= 40:
            raise MedflError(
                f"encryption: unit_bits is {self.unit_bits}; choose 18 to 40, so that rounding "
                "removes the noise of the encryption and nothing else."
            )
        largest = max(prime for prime, _ in CHECKS)
        if self.largest_integer < largest:
            raise MedflError(
                f"encryption: {self.clients} clients leave {self.largest_integer} for each one's "
                f"whole numbers, and the check slots need {largest}: take fewer clients or "
                "unit_bits, or more modulus_bits."
            )

    @property
    def data_slots(self) -> int:
        """The whole numbers of an update in one ciphertext; the other slots are checks."""
        return self.degree // 2 - len(CHECKS)

    @property
    def largest_sum(self) -> int:
        """The largest whole number that a slot can hold, with a bit to spare for its noise."""
        return int(min(2 ** (sum(self.modulus_bits[:-1]) - self.unit_bits - 2), _DOUBLE_SUM))

    @property
    def sum_bits(self) -> int:
        """The bits of a whole number whose sums fit, its sign among them."""
        return self.largest_sum.bit_length()

    @property
    def largest_integer(self) -> int:
        """The largest that a client may encrypt, so that no sum of n can wrap around."""
        return self.largest_sum // self.clients

    def blocks(self, length: int) -> int:
        """How many ciphertexts ``length`` numbers take."""
        return -(-length // self.data_slots)

    def ciphertexts(self, length: int, open_numbers: int) -> int:
        """How many ciphertexts a message of ``length`` numbers has, some of them in the clear.

        With those it has four numbers more, the check on what is in the clear.
        """
        return self.blocks(length - open_numbers + len(CHECKS) * bool(open_numbers))

    @property
    def open_type(self) -> str:
        """How numbers are written that travel in the clear, and their sums: 32 or 64 bits."""
        return "<i4" if self.sum_bits < 40 else "<i8"

    @property
    def largest_open(self) -> int:
        """The largest that a client may send in the clear, so that no sum of n wraps around."""
        return int(2 ** (8 * int(self.open_type[-1]) - 1) - 1) // self.clients

    @property
    def ciphertext_bytes(self) -> int:
        """Of a ciphertext in a message. It is filled up to that, so that no size is by chance.

        Two polynomials have a word of 64 bits for each coefficient and prime. Where primes have at
        most 56 bits, a byte of each word is 0, and compression takes 5.9 % off; else it may take
        nothing off.
        """
        words = 8 * 2 * self.degree * (len(self.modulus_bits) - 1)
        wide = max(self.modulus_bits[:-1]) > 56
        return words + words // 256 + 512 if wide else words * 61 // 64
