"""Keys and masks that public implementations let pass: each is tried here, and fails."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secure_rounds import Hospitals, changed, model, payload_of

from medfl.errors import MedflError
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.privacy.sealed.payload import PayloadReader, packed_pieces
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.sealed.ring import apply_masks
from medfl.privacy.secure_aggregation import (
    AggregationClient,
    RefusedMessageError,
    RoundAbortedError,
)
from medfl.privacy.secure_aggregation.keys import pair_mask_key, self_mask_key
from medfl.privacy.secure_aggregation.settings import RoundAgreement

AGREEMENT = RoundAgreement(bytes(32), 1, (0, 1, 2), bytes(32), bytes(32))


def test_a_mask_has_more_than_32_bits_of_a_seed():
    """Flower folds a key to 32 bits by XOR: these two seeds would give it one mask."""
    one, two = bytes(range(16)), bytes([*range(4, 8), *range(4), *range(8, 16)])
    masks = [np.zeros(1000, "<u4") for _ in range(2)]
    for mask, seed in zip(masks, (one, two), strict=True):
        apply_masks(mask, [self_mask_key(seed, 0, AGREEMENT, b"")])
    assert (masks[0] != masks[1]).mean() > 0.99


def test_each_of_the_128_bits_of_a_seed_counts():
    seeds = [bytes(16), *((1 << bit).to_bytes(16, "big") for bit in range(128))]
    assert len({self_mask_key(seed, 0, AGREEMENT, b"") for seed in seeds}) == 129


def test_masks_of_different_models_do_not_cancel():
    """Were nothing checked, the sum would still be noise: the hash is in every key."""
    one, two = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    publics = [key.public_key().public_bytes_raw() for key in (one, two)]
    other = RoundAgreement(bytes(32), 1, (0, 1, 2), b"1" * 32, bytes(32))
    sums = []
    for seen in (AGREEMENT, other):
        total = np.zeros(100_000, "<u4")
        apply_masks(total, plus=[pair_mask_key(one, 0, 1, publics[1], AGREEMENT, b"")])
        apply_masks(total, minus=[pair_mask_key(two, 1, 0, publics[0], seen, b"")])
        sums.append(total)
    assert not sums[0].any()
    assert (sums[1] == 0).mean() < 1e-3
    assert abs(sums[1].mean() / 2**32 - 0.5) < 0.01


def test_one_secret_for_all_is_refused():
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    first = hospitals.clients[0].advertise(opening, model(1))
    hospitals.give(first)
    # Client 1 takes client 0's keys for its own, and signs them.
    same = hospitals.forge(MessageKind.KEYS, bytes(payload_of(first)), sender=1)
    with pytest.raises(RefusedMessageError, match=r"client 1 .* not its own alone"):
        hospitals.server.receive(same)
    hospitals.give(hospitals.clients[2].advertise(opening, model(1)))
    third = hospitals.sent[-1]
    roster = hospitals.forge(MessageKind.ROSTER, packed_pieces([first, same, third]))
    with pytest.raises(RefusedMessageError, match="not its own alone"):
        hospitals.clients[0].share(roster)


def test_one_key_for_two_purposes_is_refused():
    hospitals = Hospitals(3)
    hospitals.server.open(1, [0, 1, 2], model(1))
    key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(RefusedMessageError, match="one key for two purposes"):
        hospitals.server.receive(hospitals.forge(MessageKind.KEYS, key * 3, sender=1))
    respelt = key + key[:-1] + bytes([key[-1] | 0x80]) + key
    with pytest.raises(RefusedMessageError, match="one spelling"):
        hospitals.server.receive(hospitals.forge(MessageKind.KEYS, respelt, sender=1))


@pytest.mark.parametrize("order", [bytes(32), b"\1" + bytes(31)], ids=["zero", "one"])
@pytest.mark.parametrize("first", [True, False], ids=["channel", "masking"])
def test_a_key_of_low_order_is_refused_by_the_server_and_by_clients(order, first):
    """The common secret with such a point is 0, which everybody knows."""
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in range(3)]
    good = bytes(payload_of(keys[1]))[:32]
    pair = order + good if first else good + order
    weak = hospitals.forge(MessageKind.KEYS, pair, bytes(32), sender=1)
    with pytest.raises(RefusedMessageError, match=r"client 1 .* low order"):
        hospitals.server.receive(weak)
    roster = hospitals.forge(MessageKind.ROSTER, packed_pieces([keys[0], weak, keys[2]]))
    with pytest.raises(RefusedMessageError, match=r"client 1 .* low order"):
        hospitals.clients[0].share(roster)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u8", ">u4"])
def test_floating_point_is_not_masked_nor_any_other_type_than_the_rings(dtype):
    hospitals = Hospitals(3)
    delivered = hospitals.share()
    with pytest.raises(MedflError, match="must be a NumPy vector of uint32"):
        hospitals.clients[0].mask(delivered[0], np.ones(7, dtype))
    for wrong in (np.ones((7, 1), "<u4"), np.ones(0, "<u4"), [1, 2]):
        with pytest.raises(MedflError, match=r"must be a NumPy vector|at least one entry"):
            hospitals.clients[0].mask(delivered[0], wrong)
    hospitals.clients[0].mask(delivered[0], np.ones(7, "<u4"))


def test_a_replayed_key_helps_nobody_where_clients_have_forgotten_the_round():
    """After a restart the server replays client 1's keys, whose masking seed it once got.

    Client 1 is not there: it cannot witness the new keys of the others, and is left out.
    """
    hospitals = Hospitals(4)
    with pytest.raises(RoundAbortedError):
        hospitals.run({0: 5, 1: 2, 2: 4, 3: 4}, 1)
    old = next(m for m in hospitals.sent if m[8] == MessageKind.KEYS and m[9] == 1)
    shares = next(m for m in hospitals.sent if m[8] == MessageKind.SHARES and m[9] == 1)
    restarted = {
        i: AggregationClient(hospitals.keys[i], hospitals.directory, hospitals.settings)
        for i in (0, 2, 3)
    }
    opening = hospitals.server.open(1, [0, 1, 2, 3], model(1))
    for client in restarted.values():
        hospitals.give(client.advertise(opening, model(1)))
    hospitals.give(old)
    roster = hospitals.server.roster()
    for client in restarted.values():
        hospitals.give(client.share(roster))
    with pytest.raises(RefusedMessageError, match=r"client 1 .* it was shown other public keys"):
        hospitals.give(shares)
    delivered = hospitals.server.deliver()
    vectors = {i: hospitals.vectors()[i] for i in restarted}
    for i, client in restarted.items():
        hospitals.give(client.mask(delivered[i], vectors[i]))
        assert 1 not in client._round.dealers.witnesses


@pytest.mark.parametrize("whose", [0, 1])
def test_a_swapped_key_breaks_the_signature(whose):
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in range(3)]
    keys[whose] = changed(keys[whose], OVERHEAD - 64 + 40)
    roster = hospitals.forge(MessageKind.ROSTER, packed_pieces(keys))
    with pytest.raises(RefusedMessageError, match=rf"client {whose} .* signature"):
        hospitals.clients[0].share(roster)


def test_keys_under_another_clients_number_or_the_servers_signature_are_refused():
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in range(3)]
    servers = hospitals.forge(MessageKind.KEYS, bytes(payload_of(keys[1])))
    for list_, words in (
        ([keys[0], keys[2], keys[1]], "not ascending"),
        ([keys[0], keys[0], keys[1], keys[2]], "twice"),
        ([keys[1], keys[2]], "client 0 is missing"),
        ([keys[0]], "1 clients are left"),
        ([keys[0], servers], "nothing is expected"),
    ):
        roster = hospitals.forge(MessageKind.ROSTER, packed_pieces(list_))
        with pytest.raises(RefusedMessageError, match=words):
            hospitals.clients[0].share(roster)
    hospitals.clients[0].share(hospitals.forge(MessageKind.ROSTER, packed_pieces(keys[:2])))


def test_own_keys_that_are_not_ones_own_are_refused():
    """A client that was made to draw twice for one round does not take the first keys back."""
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in range(3)]
    restarted = AggregationClient(hospitals.keys[0], hospitals.directory, hospitals.settings)
    restarted.advertise(opening, model(1))
    with pytest.raises(RefusedMessageError, match="keys of client 0 in it are not its own"):
        restarted.share(hospitals.forge(MessageKind.ROSTER, packed_pieces(keys)))


def test_different_keys_of_one_client_for_different_clients_are_noticed():
    """Client 2 signs two pairs of keys, and the server shows each to one of the others."""
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in range(3)]
    twin = AggregationClient(hospitals.keys[2], hospitals.directory, hospitals.settings)
    other = twin.advertise(opening, model(1))
    rosters = [
        hospitals.forge(MessageKind.ROSTER, packed_pieces([*keys[:2], last]))
        for last in (keys[2], other)
    ]
    shares = [hospitals.clients[i].share(rosters[i]) for i in (0, 1)]
    witnesses = []
    for message in shares:
        reader = PayloadReader(payload_of(message), SERVER)
        witnesses.append(reader.take(reader.number()))
    delivery = hospitals.forge(MessageKind.DELIVERY, packed_pieces(witnesses), bytes(8))
    with pytest.raises(RefusedMessageError, match=r"client 1 .* other public keys"):
        hospitals.clients[0].mask(delivery, hospitals.vectors()[0])
