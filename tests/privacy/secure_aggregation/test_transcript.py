"""What the server sees: no plaintext anywhere, and vectors that look like random numbers."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from secure_rounds import Hospitals, vector_in

from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.secure_aggregation import (
    FixedPoint,
    ProtocolSettings,
    SimulatedAggregation,
    Transcript,
    hash_of_model,
)

D = 5000


@pytest.fixture(scope="module")
def seen():
    """A round of four hospitals, of which one drops out after dealing shares; and its secrets."""
    transcript = Transcript()
    rounds = SimulatedAggregation(range(4), ProtocolSettings(), transcript)
    point, drawn = FixedPoint(1.0, 4), np.random.default_rng(0)
    updates = drawn.normal(0, 0.1, (4, D)).astype(np.float32)
    vectors = [point.encode(updates[i], 700 + 111 * i, drawn).vector for i in range(4)]
    assert rounds.open(1, range(4), hash_of_model(b"x")) == [0, 1, 2, 3]
    secrets = {i: rounds.clients[i]._round.secrets for i in range(4)}
    for i in (0, 1, 3):
        rounds.add(rounds.mask(i, vectors[i]))
    total = rounds.finish()
    assert (total == vectors[0] + vectors[1] + vectors[3]).all()
    return transcript, updates, vectors, secrets


def test_the_transcript_has_every_message_and_no_others(seen):
    """4 clients, of which 3 mask: in each step as many messages as there are clients left."""
    transcript, *_ = seen
    counted = Counter((one.kind, one.sender == SERVER) for one in transcript.sent)
    assert counted == {
        (MessageKind.OPENING, True): 4,
        (MessageKind.KEYS, False): 4,
        (MessageKind.ROSTER, True): 4,
        (MessageKind.SHARES, False): 4,
        (MessageKind.DELIVERY, True): 4,
        (MessageKind.MASKED, False): 3,
        (MessageKind.SURVIVORS, True): 3,
        (MessageKind.CONFIRMATION, False): 3,
        (MessageKind.REQUEST, True): 3,
        (MessageKind.ANSWER, False): 3,
    }
    assert all(one.message[8] == one.kind for one in transcript.sent)
    assert all((one.sender == SERVER) != (one.receiver == SERVER) for one in transcript.sent)
    by_hand = 3 * (4 * (D + 1) + OVERHEAD + OVERHEAD + 32)  # and a signed statement of 32 bytes
    assert sum(one.size for one in transcript.sent if one.kind == MessageKind.MASKED) == by_hand
    up = sum(len(one.message) for one in transcript.sent if one.sender != SERVER)
    assert (transcript.bytes_up(), transcript.bytes_down()) == (
        up,
        sum(one.size for one in transcript.sent) - up,
    )


def test_no_message_holds_a_plaintext_or_a_secret(seen):
    """No four entries in a row of any vector or update, no weight, no key, no seed."""
    transcript, updates, vectors, secrets = seen
    wire = b"".join(one.message for one in transcript.sent)
    hidden = []
    for i in range(4):
        for vector in (vectors[i], updates[i], updates[i].astype(np.float64)):
            text, size = vector.tobytes(), 4 * vector.itemsize
            hidden += [text[at : at + size] for at in range(0, len(text) - size, size)]
        hidden += [
            secrets[i].self_seed,
            secrets[i].masking_seed,
            secrets[i].channel.private_bytes_raw(),
            secrets[i].masking.private_bytes_raw(),
        ]
    # Of a text of random bytes 16 in a row are found by chance with 2^−100 or so.
    assert [text for text in hidden if text in wire] == []
    assert wire.count(secrets[0].public.channel) >= 5, "this search finds what is there"


def test_the_last_entry_hides_the_weight(seen):
    transcript, _, vectors, _ = seen
    sent = {one.sender: one.message for one in transcript.sent if one.kind == MessageKind.MASKED}
    for i, message in sent.items():
        last = vector_in(message)[-1]
        assert int(vectors[i][-1]) == 700 + 111 * i
        assert last != vectors[i][-1]


def masked(value: int, bits: int, d: int) -> np.ndarray:
    """What one client of three sends for a vector that has ``value`` in all places."""
    hospitals = Hospitals(3, ProtocolSettings(ring_bits=bits))
    vector = np.full(d, value, f"<u{bits // 8}")
    hospitals.mask(vectors=dict.fromkeys(range(3), vector))
    message = next(m for m in hospitals.sent if m[8] == MessageKind.MASKED and m[9] == 1)
    return vector_in(message, vector.dtype)


@pytest.mark.parametrize("value", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("bits", [32, 64])
def test_masked_vectors_are_uniform(value, bits):
    """χ² of each byte's values, bits and neighbours, each with a false alarm in about 10⁶."""
    d = 200_000
    found = masked(value, bits, d)
    parts = found.view(np.uint8).reshape(d, bits // 8)
    for part in parts.T:
        squares = ((np.bincount(part, minlength=256) - d / 256) ** 2).sum() / (d / 256)
        assert abs(squares - 255) < 5 * math.sqrt(2 * 255)
    ones = np.unpackbits(parts, axis=1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5.5 * 0.5 / math.sqrt(d)
    unit = found / 2.0**bits - 0.5
    assert abs((unit[1:] * unit[:-1]).mean()) < 5 / 12 / math.sqrt(d)
    expected = d * (d - 1) / 2 / 2.0**bits  # pairs with the same value: Poisson
    assert abs(d - len(np.unique(found)) - expected) <= 5 * math.sqrt(expected) + 1


def test_masked_vectors_say_nothing_of_the_vector_and_are_new_in_each_round():
    """The same vector twice, and two clients' vectors: uncorrelated."""
    d = 100_000
    hospitals = Hospitals(3)
    vectors = {i: np.arange(d, dtype="<u4") * np.uint32(40_000) for i in range(3)}
    for number in (1, 2):
        hospitals.run(dict.fromkeys(range(3), 5), number, vectors)
    sent = [m for m in hospitals.sent if m[8] == MessageKind.MASKED]
    assert len(sent) == 6
    seen = [vector_in(message) / 2.0**32 - 0.5 for message in sent]
    seen.append(vectors[0] / 2.0**32 - 0.5)
    found = np.corrcoef(seen)
    assert np.abs(found - np.eye(7)).max() < 5.5 / math.sqrt(d)


def test_a_transcript_may_count_alone():
    transcript = Transcript(keep=False)
    transcript.add(MessageKind.KEYS, 1, SERVER, b"12345")
    transcript.add(MessageKind.ROSTER, SERVER, 1, b"123")
    assert [one.message for one in transcript.sent] == [b"", b""]
    assert (transcript.bytes_up(), transcript.bytes_down()) == (5, 3)
