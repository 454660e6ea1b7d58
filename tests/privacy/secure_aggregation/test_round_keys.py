"""Keys, masks and shares, against independent implementations of what they are made of."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import struct

import numpy as np
import pytest
from Crypto.Cipher import AES
from secure_rounds import Hospitals, model

from medfl import MedflError
from medfl.privacy.sealed.ring import apply_masks
from medfl.privacy.secure_aggregation import ProtocolSettings, hash_of_model
from medfl.privacy.secure_aggregation.dealers import Dealers
from medfl.privacy.secure_aggregation.keys import (
    RoundSecrets,
    derive,
    masking_key,
    pair_mask_key,
    self_mask_key,
)
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.sharing import rebuild, share_out
from medfl.privacy.secure_aggregation.survivors import survivors_digest

BASE = {
    "session": b"s" * 32,
    "number": 7,
    "clients": (1, 4, 6),
    "model": b"m" * 32,
    "settings": ProtocolSettings(configuration=b"one").digest,
}


def agreement(**changes) -> RoundAgreement:
    return RoundAgreement(**{**BASE, **changes})


def test_a_key_is_hkdf_of_session_round_both_ids_model_and_settings():
    """RFC 5869 by hand: T(1) = HMAC(HMAC(0…0, secret), info ‖ 1)."""
    info = b"medfl secure aggregation 1|pair mask|" + struct.pack("<qq", 1, 4) + b"|"
    info += b"s" * 32 + b"m" * 32 + BASE["settings"] + struct.pack("<qqqqq", 7, 3, 1, 4, 6)
    inner = hmac.new(bytes(32), b"secret", hashlib.sha256).digest()
    expected = hmac.new(inner, info + b"the roster" + b"\1", hashlib.sha256).digest()
    assert derive(b"secret", "pair mask", agreement(), 1, 4, roster=b"the roster") == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"session": b"t" * 32},
        {"number": 8},
        {"clients": (1, 4, 7)},
        {"model": b"n" * 32},
        {"settings": ProtocolSettings(configuration=b"two").digest},
        {"settings": ProtocolSettings(ring_bits=64, configuration=b"one").digest},
        {"settings": ProtocolSettings(colluding=1, configuration=b"one").digest},
        {"settings": ProtocolSettings(threshold=3, configuration=b"one").digest},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_key_differs_where_anything_of_the_round_differs(changes):
    seen, other = RoundSecrets(agreement(), 1), RoundSecrets(agreement(), 4)
    public = other.public.masking

    def keys(now: RoundAgreement) -> list[bytes]:
        return [
            pair_mask_key(seen.masking, 1, 4, public, now, b""),
            self_mask_key(seen.self_seed, 1, now, b""),
            masking_key(seen.masking_seed, now, 1).private_bytes_raw(),
            now.context,
        ]

    assert all(a != b for a, b in zip(keys(agreement()), keys(agreement(**changes)), strict=True))
    assert keys(agreement()) == keys(agreement())


def test_keys_differ_by_purpose_client_and_roster():
    now = agreement()
    texts = [
        derive(b"s", purpose, now, *clients, roster=roster)
        for purpose in ("self mask", "pair mask", "share", "masking key")
        for clients in ((1,), (4,), (1, 4), (4, 1))
        for roster in (b"", b"r" * 32)
    ]
    assert len(set(texts)) == len(texts)


def test_both_clients_of_a_pair_get_the_same_key():
    one, two = RoundSecrets(agreement(), 1), RoundSecrets(agreement(), 4)
    keys = {
        pair_mask_key(one.masking, 1, 4, two.public.masking, agreement(), b"r"),
        pair_mask_key(two.masking, 4, 1, one.public.masking, agreement(), b"r"),
    }
    assert len(keys) == 1


def test_every_round_has_new_keys_and_seeds():
    drawn = [RoundSecrets(agreement(), 1) for _ in range(50)]
    for values in (
        {one.masking_seed for one in drawn},
        {one.self_seed for one in drawn},
        {one.public.channel for one in drawn},
        {one.public.masking for one in drawn},
        {one.public.commitment for one in drawn},
    ):
        assert len(values) == 50
    hospitals = Hospitals(3)
    hospitals.advertise(1)
    first = hospitals.clients[0]._round.secrets.public
    hospitals.advertise(2)
    second = hospitals.clients[0]._round.secrets.public
    assert not {first.channel, first.masking} & {second.channel, second.masking}


@pytest.mark.parametrize("bits", [32, 64])
def test_a_mask_is_aes_in_counter_mode(bits):
    """Block k of the stream is AES(k), big endian: the electronic code book of the counters."""
    key, d = bytes(range(32)), 40_000
    counters = b"".join(k.to_bytes(16, "big") for k in range(d * bits // 128))
    expected = np.frombuffer(AES.new(key, AES.MODE_ECB).encrypt(counters), f"<u{bits // 8}")
    found = np.zeros(d, f"<u{bits // 8}")
    apply_masks(found, [key])
    assert (found == expected).all()
    apply_masks(found, minus=[key])
    assert not found.any()


def test_masks_add_up_in_the_ring():
    vector, keys = np.full(9, 5, "<u4"), [bytes([k]) * 32 for k in range(3)]
    streams = []
    for key in keys:
        streams.append(np.zeros(9, "<u4"))
        apply_masks(streams[-1], [key])
    apply_masks(vector, plus=keys[:2], minus=keys[2:])
    by_hand = [(5 + int(a) + int(b) - int(c)) % 2**32 for a, b, c in zip(*streams, strict=True)]
    assert vector.tolist() == by_hand


def times(a: int, b: int) -> int:
    """Product in GF(2^128) by x^128 = x^7 + x^2 + x + 1, bit by bit."""
    product = 0
    for bit in range(128):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(254, 127, -1):
        if product >> bit & 1:
            product ^= (1 << bit) | (0b10000111 << (bit - 128))
    return product


def power(a: int, exponent: int) -> int:
    result = 1
    for bit in bin(exponent)[2:]:
        result = times(result, result)
        result = times(result, a) if bit == "1" else result
    return result


def test_shares_lie_on_one_polynomial_whose_value_at_zero_is_the_seed():
    """Interpolated by another implementation: a⁻¹ = a^(2^128 − 2)."""
    seed = bytes(range(16))
    shares = [int.from_bytes(share, "big") for share in share_out(seed, 3, 5)]
    for points in itertools.combinations(range(1, 6), 3):
        value = 0
        for x in points:
            term = shares[x - 1]
            for other in points:
                if other != x:
                    term = times(term, times(other, power(x ^ other, 2**128 - 2)))
            value ^= term
        assert value.to_bytes(16, "big") == seed


def test_any_t_shares_give_the_seed_back_and_more_do_no_harm():
    seed = bytes(range(16))
    shares = list(enumerate(share_out(seed, 3, 5), 1))
    for chosen in itertools.permutations(shares, 3):
        assert rebuild(chosen, 3) == seed
    assert rebuild(shares, 3) == seed
    wrong = [(1, shares[1][1]), *shares[1:3]]
    assert rebuild(wrong, 3) != seed


def test_fewer_than_t_shares_fit_any_seed():
    """Two shares of a 3-of-5 sharing and any value at zero still lie on one polynomial."""
    for seed in (b"a" * 16, b"b" * 16):
        first = {share_out(seed, 3, 5)[0] for _ in range(20)}
        assert len(first) == 20
    # Given shares 1 and 2, each seed has exactly one third share: no seed is ruled out.
    one, two = (int.from_bytes(share, "big") for share in share_out(b"a" * 16, 3, 5)[:2])
    for seed in (1, 2, 3):
        # a x² + b x + seed through both: a = (y₁ + y₂/2 + seed (1 + 1/2)) / (1 + 2) over GF(2^128)
        half = power(2, 2**128 - 2)
        right = one ^ times(two, half) ^ times(seed, 1 ^ half)
        a = times(right, power(3, 2**128 - 2))
        b = one ^ a ^ seed
        assert times(a, 4) ^ times(b, 2) ^ seed == two


@pytest.mark.parametrize(
    ("n", "colluding", "least"),
    [(3, 0, 2), (4, 0, 3), (10, 0, 6), (10, 3, 7), (9, 3, 7), (100, 33, 67), (4, 2, 4)],
)
def test_the_least_threshold_is_above_half_of_n_and_c(n, colluding, least):
    """2t > n + c: with c = n/3 this is t > 2n/3."""
    assert ProtocolSettings(colluding).threshold_of(n) == least
    assert 2 * least > n + colluding >= 2 * (least - 1)
    with pytest.raises(MedflError, match=f"must be at least {least}, so that 2t > n"):
        ProtocolSettings(colluding, threshold=least - 1).threshold_of(n)
    assert ProtocolSettings(colluding, threshold=n).threshold_of(n) == n


@pytest.mark.parametrize(
    ("settings", "n", "words"),
    [
        ({}, 2, "at least 3 must take part"),
        ({}, 0, "at least 3 must take part"),
        ({"threshold": 6}, 5, "a threshold of 6 can never be reached"),
        ({"colluding": 4}, 4, "can never be reached"),
        ({"colluding": 3}, 4, "could hold one honest client alone"),
    ],
)
def test_a_round_that_could_not_protect_is_refused(settings, n, words):
    with pytest.raises(MedflError, match=words):
        ProtocolSettings(**settings).threshold_of(n)


@pytest.mark.parametrize("wrong", [{"ring_bits": 16}, {"colluding": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(MedflError, match=next(iter(wrong))):
        ProtocolSettings(**wrong)


def test_the_hash_of_a_model_tells_vectors_apart():
    """SHA-256 of a label and of each vector with its length before it."""
    text = b"medfl model" + struct.pack("<Q", 4) + b"\0\0\0\0" + struct.pack("<Q", 1) + b"x"
    assert hash_of_model(bytes(4), b"x") == hashlib.sha256(text).digest()
    assert hash_of_model(b"ab", b"c") != hash_of_model(b"a", b"bc")
    assert hash_of_model(np.zeros(1, "f4").data) == hash_of_model(bytes(4))
    assert model(1) != model(2)


def test_a_confirmation_is_of_these_dealers_and_these_survivors():
    """After a restart in the same round the words of before it, about other keys, do not count."""
    texts = {
        survivors_digest(Dealers({}, seen), survivors)
        for seen in (b"a" * 32, b"b" * 32)
        for survivors in ([1, 2, 3], [1, 2, 4], [1, 2])
    }
    assert len(texts) == 6
    assert survivors_digest(Dealers({}, b"a" * 32), [3, 1, 2]) in texts
