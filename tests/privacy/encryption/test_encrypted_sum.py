"""The encrypted sum is the sum to the last bit, and no other sum passes for it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tenseal
from encrypted_rounds import NEXT, ROUND, Federation

from medfl.errors import MedflError
from medfl.privacy.encryption import CkksSettings, EncryptedSum, EncryptingHospital, HospitalKeys
from medfl.privacy.encryption.checksum import Checksum
from medfl.privacy.encryption.settings import CHECKS
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.privacy.sealed.identities import SigningIdentity

LENGTH = 5000  # three ciphertexts of 2044


@pytest.fixture(scope="module")
def three():
    return Federation()


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(0)
    return random.integers(-(2**27), 2**27, (3, LENGTH))


@pytest.fixture(scope="module")
def messages(three, numbers):
    return [h.encrypt(ROUND, v) for h, v in zip(three.hospitals, numbers, strict=True)]


def test_the_sum_is_exact(three, numbers, messages):
    total = three.sum()
    assert [total.add(message) for message in messages] == [0, 1, 2]
    message = total.finish()
    for hospital in three.hospitals:
        found, clients = hospital.read_sum(ROUND, message, LENGTH)
        assert (found == numbers.sum(axis=0)).all()
        assert clients == [0, 1, 2]


def test_whoever_drops_out_is_left_out(numbers):
    four = Federation(4)
    total = four.sum()
    for client in (3, 0, 2):
        total.add(four.hospitals[client].encrypt(ROUND, numbers[client % 3]))
    found, clients = four.hospitals[1].read_sum(ROUND, total.finish(), LENGTH)
    assert (found == 2 * numbers[0] + numbers[2]).all()
    assert clients == [0, 2, 3]


@pytest.mark.parametrize(
    ("clients", "ring"), [(4, (4096, (54, 54))), (64, (4096, (54, 54))), (8, (8192, (60, 60, 60)))]
)
def test_the_largest_numbers_do_not_wrap_around(clients, ring):
    """Every hospital sends the largest number there is, of either sign."""
    settings = CkksSettings(clients, *ring)
    federation = Federation(2, settings)
    limit = settings.largest_integer
    values = np.random.default_rng(0).choice([limit, -limit], settings.data_slots)
    total = federation.sum()
    for hospital in federation.hospitals:
        total.add(hospital.encrypt(ROUND, values))
    # The sum of 64 is the sum of two, 32 times: addition is all that happens to ciphertexts.
    pieces = [tenseal.ckks_vector_from(total._public, p.serialize()) for p in total._sums]
    summed = pieces[0]
    for _ in range(clients // 2 - 1):
        summed = summed + pieces[0]
    context = tenseal.context_from(federation.keys.secret)
    seen = np.rint(tenseal.ckks_vector_from(context, summed.serialize()).decrypt())
    assert (seen[:-4] == clients * values).all()
    with pytest.raises(MedflError, match="could wrap around"):
        federation.hospitals[0].encrypt(ROUND, values + 1)


class TestForgedSums:
    """What a server can make of ciphertexts with the public context alone."""

    def refused(self, three, pieces, clients=(0, 1, 2), said="ciphertexts that the server sent"):
        message = three.signed(pieces, list(clients))
        with pytest.raises(MedflError, match=said):
            three.hospitals[0].read_sum(ROUND, message, LENGTH)

    @pytest.fixture
    def right(self, three, messages):
        total = three.sum()
        for message in messages:
            total.add(message)
        return three.pieces(total.finish(), MessageKind.ENCRYPTED_SUM)

    def public(self, three):
        return tenseal.context_from(three.keys.public)

    def test_the_right_one_passes(self, three, right, numbers):
        found, _ = three.hospitals[0].read_sum(ROUND, three.signed(right, [0, 1, 2]), LENGTH)
        assert (found == numbers.sum(axis=0)).all()

    def test_one_ciphertext_in_the_place_of_another(self, three, right):
        self.refused(three, [right[1], right[0], right[2]], said="2 of 3 ciphertexts")

    def test_one_hospitals_ciphertext_as_the_sum(self, three, right, messages):
        self.refused(three, [three.pieces(messages[1])[0], *right[1:]], said="1 of 3 ciphertexts")

    def test_one_hospitals_ciphertexts_said_to_be_all(self, three, messages):
        self.refused(three, three.pieces(messages[1]), said="3 of 3 ciphertexts")

    def test_a_scaled_sum(self, three, right):
        public = self.public(three)
        doubled = tenseal.ckks_vector_from(public, right[0])
        doubled.add_(tenseal.ckks_vector_from(public, right[0]))
        self.refused(three, [doubled.serialize(), *right[1:]], said="1 of 3 ciphertexts")

    def test_a_hospital_counted_twice(self, three, right, messages):
        public = self.public(three)
        more = tenseal.ckks_vector_from(public, right[0])
        more.add_(tenseal.ckks_vector_from(public, three.pieces(messages[0])[0]))
        self.refused(three, [more.serialize(), *right[1:]], said="1 of 3 ciphertexts")

    def test_a_number_added_to_one_slot(self, three, right):
        """Also a multiple of one of the primes, modulo which half of the checks see nothing."""
        for value in (1.0, float(CHECKS[0][0])):
            public = self.public(three)
            plain = np.zeros(2048)
            plain[7] = value
            moved = tenseal.ckks_vector_from(public, right[0]) + plain.tolist()
            self.refused(three, [moved.serialize(), *right[1:]], said="1 of 3 ciphertexts")

    def test_a_masked_mixture(self, three, right, messages):
        """The check slots of the sum, and in the data slots one hospital's numbers.

        Masks of a low scale fit beside the sum, but blur what is behind them; so the ciphertext is
        made with the key here, as if a server could do it without any error.
        """
        secret = tenseal.context_from(three.keys.secret)
        summed, one = (
            np.rint(tenseal.ckks_vector_from(secret, piece).decrypt())
            for piece in (right[0], three.pieces(messages[1])[0])
        )
        mixed = tenseal.ckks_vector(secret, np.r_[one[:-4], summed[-4:]])
        self.refused(three, [mixed.serialize(), *right[1:]], said="1 of 3 ciphertexts")
        for slot in range(4):  # nor is any one check slot of the sum right for one's numbers
            found = np.r_[one[:-4], one[-4:]].astype(np.int64)
            found[-4 + slot] = summed[-4 + slot]
            checksum = Checksum(three.keys.check, ROUND)
            assert not checksum.holds([1], found[None, :-4], found[None, -4:])[0]

    def test_another_set_of_hospitals(self, three, right):
        self.refused(three, right, clients=(0, 1), said="a sum of 2 clients")
        self.refused(three, right, clients=(0, 1, 3))

    def test_a_sum_of_one(self, three, messages):
        self.refused(three, three.pieces(messages[0]), clients=[0], said="a sum of 1 clients")

    def test_too_few_ciphertexts(self, three, right):
        self.refused(three, right[:2], said="it has 2 ciphertexts, and 3 are due")


def test_a_sum_of_another_round_is_refused(three, messages, numbers):
    total = three.sum(NEXT)
    with pytest.raises(MedflError, match="of another round"):
        total.add(messages[0])
    for hospital, values in zip(three.hospitals, numbers, strict=True):
        total.add(hospital.encrypt(NEXT, values))
    pieces = three.pieces(total.finish(), MessageKind.ENCRYPTED_SUM, NEXT)
    with pytest.raises(MedflError, match="3 of 3 ciphertexts"):
        three.hospitals[0].read_sum(ROUND, three.signed(pieces, [0, 1, 2]), LENGTH)


def test_bad_messages_leave_the_round_as_it_was(three, numbers, messages):
    total = three.sum()
    total.add(messages[0])
    foreign = EncryptingHospital(SigningIdentity(1), three.directory, three.keys)
    short = three.hospitals[1].encrypt(ROUND, numbers[1][:10])
    flipped = bytearray(messages[1])
    flipped[5000] ^= 1
    for bad, said in (
        (messages[0], "it has answered already"),
        (foreign.encrypt(ROUND, numbers[1]), "its signature is not"),
        (short, "it has 1 ciphertexts, and 3 are due"),
        (bytes(flipped), "its signature is not"),
        (messages[1][:-100], "refused"),
        (b"nonsense", "truncated"),
    ):
        with pytest.raises(MedflError, match=said):
            total.add(bad)
    total.add(messages[1])
    total.add(messages[2])
    found, _ = three.hospitals[0].read_sum(ROUND, total.finish(), LENGTH)
    assert (found == numbers.sum(axis=0)).all()


def test_ciphertexts_of_another_key_are_refused(three, numbers):
    """Another federation's hospital may sign here, but nobody here can read what it encrypts."""
    other = HospitalKeys.draw(three.settings)
    stranger = EncryptingHospital(three.hospitals[0].identity, three.directory, other)
    total = three.sum()
    total.add(stranger.encrypt(ROUND, numbers[0]))
    for client in (1, 2):
        total.add(three.hospitals[client].encrypt(ROUND, numbers[client]))
    with pytest.raises(MedflError, match="3 of 3 ciphertexts"):
        three.hospitals[1].read_sum(ROUND, total.finish(), LENGTH)


def test_no_key_is_shown_where_the_keys_are_printed(three):
    shown = repr(three.keys)
    assert "settings=" in shown
    assert "public=" in shown
    assert repr(three.keys.check) not in shown
    assert "secret=" not in shown


def test_the_server_has_no_key_at_all(three):
    with pytest.raises(MedflError, match="the server was given the hospitals' secret key"):
        EncryptedSum(three.server, three.directory, three.keys.secret, three.settings, ROUND, [0])
    public = tenseal.context_from(three.keys.public)
    assert not public.has_secret_key()
    with pytest.raises(ValueError, match="doesn't support encryption"):
        tenseal.ckks_vector(public, [1.0])


def test_fewer_than_three_answers_are_no_sum(three, messages):
    total = three.sum()
    for message in messages[:2]:
        total.add(message)
    with pytest.raises(MedflError, match="2 hospitals answered, and at least 3 must"):
        total.finish()


def test_a_hospital_with_another_model_spoils_the_sum_and_nothing_of_it_passes(three, numbers):
    for models, right in (((b"one",) * 3, b"one"), ((b"one", b"one", b"two"), None)):
        total = three.sum()
        for client, model in enumerate(models):
            total.add(three.hospitals[client].encrypt(ROUND, numbers[client], model))
        message = total.finish()
        for model in (b"one", b"two", b""):
            if model == right:
                found, _ = three.hospitals[0].read_sum(ROUND, message, LENGTH, model)
                assert (found == numbers.sum(axis=0)).all()
                continue
            with pytest.raises(MedflError, match="3 of 3 ciphertexts"):
                three.hospitals[0].read_sum(ROUND, message, LENGTH, model)


def test_a_message_has_the_same_size_whatever_was_drawn(three, numbers, messages):
    again = [h.encrypt(ROUND, v * 0) for h, v in zip(three.hospitals, numbers, strict=True)]
    assert len({len(message) for message in (*messages, *again)}) == 1
    assert three.settings.ciphertext_bytes == 8 * 2 * 4096 * 61 // 64  # 62,464
    assert len(messages[0]) == 3 * 62464 + 4 + OVERHEAD


def test_ciphertexts_show_nothing_of_their_numbers(three):
    """The same numbers twice give ciphertexts of which no bytes agree but by chance."""
    zeros = np.zeros(2044, np.int64)
    one, two = (three.hospitals[0].encrypt(ROUND, zeros) for _ in range(2))
    a, b = (np.frombuffer(three.pieces(m)[0], np.uint8)[1000:50000] for m in (one, two))
    assert np.mean(a == b) < 0.02


def is_prime(n):
    return n > 1 and all(n % k for k in range(2, math.isqrt(n) + 1))


def test_the_checks_are_by_two_primes_whose_product_no_sum_reaches():
    primes = sorted({prime for prime, _ in CHECKS})
    assert len(primes) == 2
    assert all(is_prime(prime) and prime < 2**25 for prime in primes)
    assert math.prod(primes) > 2 * CkksSettings(3, 8192, (60, 60, 60)).largest_sum


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modulus_bits": (60, 60)}, "at most 109 bits"),
        ({"modulus_bits": (54,)}, "two or more"),
        ({"degree": 2048}, "choose one of 4096"),
        ({"clients": 2}, "at least 3 clients"),
        ({"unit_bits": 5}, "choose 18 to 40"),
        ({"clients": 129}, "the check slots need"),
    ],
)
def test_settings_without_security_or_room_are_refused(settings, said):
    with pytest.raises(MedflError, match=said):
        CkksSettings(**{"clients": 3, **settings})


def test_room_for_128_hospitals_by_hand():
    """54 bits less 20 of the unit and 2 to spare leave sums of 2^32, and 2^25 is 1/128 of it."""
    settings = CkksSettings(128)
    assert (settings.largest_sum, settings.largest_integer) == (2**32, 2**25)
    assert CkksSettings(1000, 8192, (60, 60, 60)).largest_sum == 2**44


def test_the_example_of_the_page_gives_the_sum():
    page = (Path(__file__).parents[3] / "docs/homomorphic-encryption.md").read_text("utf-8")
    names = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    assert (names["total"] == 4 * np.arange(5000) - 6000).all()


@pytest.mark.parametrize("wrong", [[np.nan, 1.0], [np.inf, 1.0], [1.5, 2.0], [[1, 2], [3, 4]]])
def test_what_is_no_vector_of_whole_numbers_is_not_encrypted(three, wrong):
    with pytest.raises(MedflError, match="must be a vector of whole numbers"):
        three.hospitals[0].encrypt(ROUND, np.array(wrong))
