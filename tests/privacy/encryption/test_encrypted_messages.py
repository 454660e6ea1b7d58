"""What is no ciphertext is refused by name, and what travels in the clear is checked, too."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tenseal
from encrypted_rounds import ROUND, Federation

from medfl.errors import MedflError
from medfl.privacy.encryption import CkksSettings
from medfl.privacy.encryption.checksum import Checksum
from medfl.privacy.encryption.ciphertexts import pack_ciphertexts
from medfl.privacy.encryption.keys import open_context
from medfl.privacy.encryption.settings import CHECKS
from medfl.privacy.sealed.envelope import MessageKind, seal, unseal
from medfl.privacy.sealed.refusals import SERVER, RefusedMessageError

LENGTH = 3000  # two ciphertexts
VALUES = np.arange(LENGTH) - 1000
HIDDEN = np.arange(LENGTH) % 3 == 0
PLAIN = VALUES[~HIDDEN].astype("<i4").tobytes()


@pytest.fixture(scope="module")
def three():
    return Federation()


@pytest.fixture(scope="module")
def partly(three):
    """A sum of which a third is encrypted; its message, and that of the first hospital."""
    total = three.sum()
    messages = [one.encrypt(ROUND, VALUES * (1 + k), b"", HIDDEN) for k, one in in_turn(three)]
    for message in messages:
        total.add(message)
    return total.finish(), messages


def in_turn(three):
    return list(enumerate(three.hospitals))


def context_of(degree=4096, bits=(54, 54), scale=20):
    kind = tenseal.ENCRYPTION_TYPE.SYMMETRIC
    found = tenseal.context(tenseal.SCHEME_TYPE.CKKS, degree, -1, bits, kind, 1)
    found.global_scale = 2.0**scale
    return found


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda pieces: [pieces[0][:-100], pieces[1]], "a ciphertext is damaged"),
        (lambda pieces: [b"", pieces[1]], "a ciphertext is damaged"),
        (lambda pieces: [b"x" * 100, pieces[1]], "a ciphertext is damaged"),
        (lambda pieces: [pieces[0], short_one()], "a ciphertext is damaged"),
        (lambda pieces: [pieces[0], of_scale(25)], "a ciphertext is damaged"),
        (lambda pieces: [pieces[0], empty_one()], "a ciphertext is damaged"),
        (lambda pieces: [pieces[0]], "it has 1 ciphertexts, and 2 are due"),
        (lambda pieces: [], "its payload is not what it should be"),
    ],
)
def test_what_is_no_ciphertext_of_these_is_refused_and_the_others_have_their_sum(
    three, wrong, said
):
    """The first ciphertext of a message may be right: nothing of it may stay in the sum."""
    total = three.sum()
    total.add(three.hospitals[0].encrypt(ROUND, VALUES))
    right = three.hospitals[1].encrypt(ROUND, VALUES)
    pieces = wrong(three.pieces(right))
    with pytest.raises(RefusedMessageError, match=f"message of client 1 is refused.*{said}"):
        total.add(three.resigned(1, pack_ciphertexts(pieces, three.settings)))
    total.add(right)
    total.add(three.hospitals[2].encrypt(ROUND, VALUES))
    found, _ = three.hospitals[0].read_sum(ROUND, total.finish(), LENGTH)
    assert (found == 3 * VALUES).all()


def short_one():
    return tenseal.ckks_vector(context_of(), [1.0] * 100).serialize()


def empty_one():
    """2,048 numbers in no ciphertext at all; TenSEAL takes it, and crashes where it is added."""
    return b"\x0a\x02\x80\x10" + b"\x19" + struct.pack("<d", 2.0**20)


def of_other_primes():
    return tenseal.ckks_vector(context_of(bits=(53, 54)), [1.0] * 2048).serialize()


def of_scale(bits):
    return tenseal.ckks_vector(context_of(scale=bits), [1.0] * 2048).serialize()


@pytest.mark.parametrize("wrong", ["scale", "empty", "few", "open", "primes"])
def test_the_first_message_cannot_shut_the_others_out(three, wrong):
    """What the others' could not be added to any more is refused where it is the first one, too."""
    right = [one.encrypt(ROUND, VALUES) for one in three.hospitals]
    payload = {
        "scale": pack_ciphertexts([of_scale(25)] * 2, three.settings),
        "empty": pack_ciphertexts([empty_one()] * 2, three.settings),
        "few": pack_ciphertexts(three.pieces(right[0])[:1], three.settings),
        "open": pack_ciphertexts(three.pieces(right[0]), three.settings) + bytes(8),
        "primes": pack_ciphertexts([of_other_primes()] * 2, three.settings),
    }[wrong]
    total = three.sum(length=LENGTH)
    with pytest.raises(RefusedMessageError, match=r"client 0 is refused"):
        total.add(three.resigned(0, payload))
    assert [total.add(message) for message in right] == [0, 1, 2]
    found, _ = three.hospitals[0].read_sum(ROUND, total.finish(), LENGTH)
    assert (found == 3 * VALUES).all()


def test_how_many_numbers_are_due_by_hand(three):
    """Two thirds of 3,000 in the clear: 1,000 + 4 encrypted ones fit into one ciphertext."""
    total = three.sum(length=LENGTH, open_numbers=2000)
    with pytest.raises(RefusedMessageError, match="it has 2 ciphertexts, and 1 are due"):
        total.add(three.hospitals[0].encrypt(ROUND, VALUES))
    for hospital in three.hospitals:
        total.add(hospital.encrypt(ROUND, VALUES, b"", HIDDEN))
    found, _ = three.hospitals[0].read_sum(ROUND, total.finish(), LENGTH, b"", HIDDEN)
    assert (found == 3 * VALUES).all()


def test_a_message_that_takes_anothers_away_is_refused(three):
    """x − x is a ciphertext that hides nothing: SEAL does not make it, and the sum goes on."""
    total = three.sum()
    first = three.hospitals[0].encrypt(ROUND, VALUES)
    total.add(first)
    context = open_context(three.keys.public, "the server")
    negated = [
        (-tenseal.ckks_vector_from(context, piece)).serialize() for piece in three.pieces(first)
    ]
    with pytest.raises(RefusedMessageError, match=r"client 1 is refused.*cannot be added"):
        total.add(three.resigned(1, pack_ciphertexts(negated, three.settings)))
    for hospital in three.hospitals[1:]:
        total.add(hospital.encrypt(ROUND, VALUES))
    found, _ = three.hospitals[0].read_sum(ROUND, total.finish(), LENGTH)
    assert (found == 3 * VALUES).all()


def test_a_sum_of_another_scale_is_not_read(three):
    """The scale says what a number of the ciphertext counts for, and the server could write it."""
    pieces = [of_scale(21)] * 2
    with pytest.raises(MedflError, match="a ciphertext is damaged, or was made with other"):
        three.hospitals[0].read_sum(ROUND, three.signed(pieces, [0, 1, 2]), LENGTH)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        struct.pack("<I", 1),
        struct.pack("<I", 2**31),
        struct.pack("<I", 1) + struct.pack("<I", 2**31) + bytes(62460),
    ],
)
def test_a_payload_that_is_none_is_refused(three, payload):
    with pytest.raises(RefusedMessageError, match=r"client 2 is refused.*(cut short|damaged)"):
        three.sum().add(three.resigned(2, payload))


def test_what_is_not_encrypted_is_summed_too(three, partly):
    message, messages = partly
    for hospital in three.hospitals:
        found, clients = hospital.read_sum(ROUND, message, LENGTH, b"", HIDDEN)
        assert (found == 6 * VALUES).all()
        assert clients == [0, 1, 2]
    # Four check numbers more than the hidden third make 1,004: one ciphertext, not two.
    assert len(three.pieces(messages[0])) == 1
    assert messages[0].endswith(PLAIN + messages[0][-64:])


def test_another_sum_of_what_is_in_the_clear_does_not_pass(three, partly):
    message, _ = partly
    senders = {SERVER}
    payload = unseal(message, MessageKind.ENCRYPTED_SUM, ROUND, three.directory, senders).payload
    start = len(payload) - 4 * int((~HIDDEN).sum())
    clear = np.frombuffer(payload[start:], "<i4")
    for forged in (
        clear + (np.arange(len(clear)) == 7),
        clear + CHECKS[0][0] * (np.arange(len(clear)) == 7),
        clear[::-1],
        2 * clear,
        VALUES[~HIDDEN],
    ):
        text = forged.astype("<i4").tobytes()
        lie = seal(three.server, MessageKind.ENCRYPTED_SUM, ROUND, payload[:start], text)
        with pytest.raises(MedflError, match="the numbers in the clear that the server sent"):
            three.hospitals[0].read_sum(ROUND, lie, LENGTH, b"", HIDDEN)
    short = seal(three.server, MessageKind.ENCRYPTED_SUM, ROUND, payload[:-4])
    with pytest.raises(MedflError, match="other numbers in the clear than are due"):
        three.hospitals[0].read_sum(ROUND, short, LENGTH, b"", HIDDEN)


def test_the_check_of_open_numbers_by_hand():
    """Σ s_b r_k v_bk by Python's whole numbers, of more rows than one."""
    checksum = Checksum(bytes(32), b"round")
    values = np.random.default_rng(0).integers(-(2**31), 2**31, 5000)
    factors, rows = checksum._of_slots(2048), checksum._drawn(b"rows", 3)
    for slot, (prime, _) in enumerate(CHECKS):
        by_hand = sum(
            int(rows[at // 2048, slot]) * int(factors[at % 2048, slot]) * int(value)
            for at, value in enumerate(values)
        )
        assert checksum.of_open(values)[slot] == by_hand % prime


def test_open_numbers_have_room_too():
    settings = CkksSettings(4)
    assert (settings.open_type, settings.largest_open) == ("<i4", (2**31 - 1) // 4)
    four = Federation(4, settings)
    values = np.zeros(10, np.int64)
    values[9] = settings.largest_open
    hidden = np.arange(10) < 5
    four.hospitals[0].encrypt(ROUND, values, b"", hidden)
    values[9] += 1
    with pytest.raises(MedflError, match="could wrap around"):
        four.hospitals[0].encrypt(ROUND, values, b"", hidden)
    assert CkksSettings(4, 8192, (60, 60, 60)).open_type == "<i8"
