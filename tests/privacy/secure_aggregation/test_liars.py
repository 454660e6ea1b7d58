"""What public implementations let pass: each is tried here, and fails.

The server of these tests lies with its own right signature, and so does a client where it says so.
"""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from secure_rounds import Hospitals, changed, model

from medfl.errors import MedflError
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind, seal
from medfl.privacy.sealed.payload import PayloadReader, packed_pieces
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.sealed.ring import apply_masks
from medfl.privacy.secure_aggregation import (
    AggregationClient,
    ProtocolSettings,
    RefusedMessageError,
    RoundAbortedError,
    sharing,
)
from medfl.privacy.secure_aggregation import client as module
from medfl.privacy.secure_aggregation.keys import pair_mask_key, self_mask_key
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.sharing import share_out
from medfl.privacy.secure_aggregation.survivors import STATEMENT_BYTES

AGREEMENT = RoundAgreement(bytes(32), 1, (0, 1, 2), bytes(32), bytes(32))


def payload_of(message: bytes) -> memoryview:
    return memoryview(message)[OVERHEAD - 64 : -64]


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


def test_one_answer_has_one_share_of_each_client_and_there_is_no_second_one():
    hospitals = Hospitals(4)
    request = hospitals.confirm(who=[0, 1, 2])
    client = hospitals.clients[0]
    reader = PayloadReader(payload_of(client.unmask(request)), 0)
    assert reader.numbers() == (0, 1, 2, 3)
    assert len([reader.take(16) for _ in range(4)]) == 4
    reader.end()
    with pytest.raises(RefusedMessageError, match="client 0 is in no round"):
        client.unmask(request)
    assert client._round is None, "nothing is left to be given"


def test_contradictory_dropouts_are_noticed():
    """Clients 0 and 1 are told that 3 dropped out, 2 and 3 that nobody did."""
    hospitals = Hospitals(4)
    truth = hospitals.mask()
    lie = hospitals.listing([0, 1, 2])
    said = [hospitals.clients[i].confirm(lie if i < 2 else truth) for i in range(4)]
    request = hospitals.forge(MessageKind.REQUEST, packed_pieces(said))
    for i in range(4):
        with pytest.raises(RefusedMessageError, match="was told of other dropouts"):
            hospitals.clients[i].unmask(request)
    # Without the contradictory ones there are too few.
    for i, fitting in ((0, said[:2]), (3, said[2:])):
        with pytest.raises(RefusedMessageError, match=r"2 clients have confirmed .* 3 must"):
            hospitals.clients[i].unmask(
                hospitals.forge(MessageKind.REQUEST, packed_pieces(fitting))
            )
        doubled = packed_pieces([*fitting, *fitting])
        with pytest.raises(RefusedMessageError, match=r"2 clients have confirmed .* 3 must"):
            hospitals.clients[i].unmask(hospitals.forge(MessageKind.REQUEST, doubled))


def shown(message: bytes, whom) -> tuple[bytes, bytes]:
    """A delivery as two payloads: one whose witnesses are of ``whom`` alone, and one as it is."""
    reader = PayloadReader(payload_of(message), SERVER)
    words = reader.pieces()
    packets = bytes(reader.take(reader._rest.nbytes))
    some = [piece for piece in words if int.from_bytes(piece[9:17], "little") in whom]
    return packed_pieces(some) + packets, packed_pieces(words) + packets


def test_a_client_that_was_shown_other_dealers_is_not_unmasked():
    """The server shows client 0 that 0, 1 and 2 dealt shares. Then it lets 1 and 2 drop out.

    The masks of clients that drop out get known. So 3 and 4 must not take the last mask off, in the
    belief that they protect client 0 as well.
    """
    hospitals = Hospitals(5)
    delivered, vectors = hospitals.share(), hospitals.vectors()
    few, _ = shown(delivered[0], {0, 1, 2})
    delivered[0] = hospitals.forge(MessageKind.DELIVERY, few)
    masked = [hospitals.clients[i].mask(delivered[i], vectors[i]) for i in range(5)]
    with pytest.raises(RefusedMessageError, match=r"client 0 .* masks in common with others"):
        hospitals.server.receive(masked[0])
    said = [message[-64 - STATEMENT_BYTES : -64] for message in masked]
    lie = hospitals.forge(MessageKind.SURVIVORS, packed_pieces([said[0], said[3], said[4]]))
    for i in (3, 4):
        with pytest.raises(RefusedMessageError, match=r"client 0 .* masks in common with others"):
            hospitals.clients[i].confirm(lie)
    with pytest.raises(RefusedMessageError, match=r"client 3 .* nothing is expected from there"):
        hospitals.clients[0].confirm(lie)


def test_what_another_client_said_of_its_masks_is_refused():
    hospitals = Hospitals(3)
    delivered, vectors = hospitals.share(), hospitals.vectors()
    masked = [hospitals.clients[i].mask(delivered[i], vectors[i]) for i in range(3)]
    payload = bytes(payload_of(masked[1]))[:-STATEMENT_BYTES]
    other = masked[2][-64 - STATEMENT_BYTES : -64]
    wrong = hospitals.forge(MessageKind.MASKED, payload + other, sender=1)
    with pytest.raises(RefusedMessageError, match=r"client 1 .* what another client said"):
        hospitals.server.receive(wrong)


def test_a_client_confirms_one_list_of_survivors_alone():
    hospitals = Hospitals(4)
    truth = hospitals.mask()
    hospitals.clients[0].confirm(truth)
    for other in ([0, 1, 2], [0, 1, 2, 3]):
        with pytest.raises(RefusedMessageError, match="one answer to each message"):
            hospitals.clients[0].confirm(hospitals.listing(other))


@pytest.mark.parametrize(
    ("survivors", "words"),
    [
        ([0, 1], "2 clients are left, and at least 3 must be"),
        ([1, 2, 3], "client 0 is missing"),
        ([0, 1, 2, 4], r"client 4 .* nothing is expected from there"),
        ([0, 1, 1, 2], "not ascending, or has one of them twice"),
        ([2, 1, 0], "not ascending"),
    ],
)
def test_a_list_of_survivors_that_would_reveal_too_much_is_not_confirmed(survivors, words):
    hospitals = Hospitals(5)
    roster = hospitals.advertise()
    for client in (0, 1, 2, 3):
        hospitals.give(hospitals.clients[client].share(roster))
    delivered = hospitals.server.deliver()
    hospitals.clients[0].mask(delivered[0], hospitals.vectors()[0])
    with pytest.raises(RefusedMessageError, match=words):
        hospitals.clients[0].confirm(hospitals.listing(survivors))


def test_a_server_that_sends_different_models_gets_nothing():
    """Each client knows the hash of what it received, and it is in all that it signs."""
    hospitals = Hospitals(3)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    with pytest.raises(RefusedMessageError, match="the global model of the round is another one"):
        hospitals.clients[2].advertise(opening, model(2))
    # It lies in the opening, too, so that client 2 believes it; then the others see it.
    lie = RoundAgreement(
        hospitals.server.session, 1, (0, 1, 2), model(2), hospitals.settings.digest
    )
    second = seal(hospitals.keys[SERVER], MessageKind.OPENING, lie.context, lie.packed)
    keys = [hospitals.clients[i].advertise(opening, model(1)) for i in (0, 1)]
    keys.append(hospitals.clients[2].advertise(second, model(2)))
    roster = hospitals.forge(MessageKind.ROSTER, packed_pieces(keys))
    with pytest.raises(RefusedMessageError, match=r"client 2 .* another global model"):
        hospitals.clients[0].share(roster)
    with pytest.raises(RefusedMessageError, match=r"client 2 .* another global model"):
        hospitals.server.receive(keys[2])


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


def test_a_replayed_round_is_refused():
    hospitals = Hospitals(3)
    hospitals.run({0: 5, 1: 5, 2: 5}, 1)
    first = list(hospitals.sent)
    for number in (1, 0):
        again = hospitals.server.open(number, [0, 1, 2], model(1))
        with pytest.raises(RefusedMessageError, match="has been opened before"):
            hospitals.clients[0].advertise(again, model(1))
    hospitals.server.open(2, [0, 1, 2], model(2))
    for message in first:
        with pytest.raises(RefusedMessageError):
            hospitals.server.receive(message)


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


def test_a_share_that_was_changed_on_the_way_is_not_passed_on_and_the_round_goes_on():
    """The last packet of client 0's delivery is client 3's; the others' shares are enough."""
    hospitals = Hospitals(4)
    delivered = hospitals.share()
    payload = bytes(payload_of(delivered[0]))
    delivered[0] = hospitals.forge(MessageKind.DELIVERY, changed(payload, -1))
    for i in range(4):
        hospitals.give(hospitals.clients[i].mask(delivered[i], hospitals.vectors()[i]))
    assert sorted(hospitals.clients[0]._round.shares) == [0, 1, 2]
    survivors = hospitals.server.survivors()
    for i in range(4):
        hospitals.give(hospitals.clients[i].confirm(survivors))
    request = hospitals.server.request()
    for i in range(4):
        hospitals.give(hospitals.clients[i].unmask(request))
    assert hospitals.server.finish().tolist() == [6000 + 4 * (k + 1) for k in range(7)]


@pytest.mark.parametrize("at", [-1, -17, -40])
def test_a_wrong_share_in_an_answer_is_noticed_and_the_round_goes_on_without_it(at):
    """Client 2 changes a bit of a share and signs; Shamir's scheme would not notice."""
    hospitals = Hospitals(4)
    request = hospitals.confirm()
    answers = [hospitals.clients[i].unmask(request) for i in range(4)]
    wrong = hospitals.forge(
        MessageKind.ANSWER, changed(bytes(payload_of(answers[2])), at), sender=2
    )
    with pytest.raises(RefusedMessageError, match=r"client 2 .* not the one that was dealt to it"):
        hospitals.server.receive(wrong)
    for i in (0, 1, 3):
        hospitals.give(answers[i])
    assert hospitals.server.finish().tolist() == [6000 + 4 * (k + 1) for k in range(7)]


def test_shares_that_give_another_seed_than_the_committed_one_end_the_round(monkeypatch):
    """Client 1 deals shares of another seed, committed to share by share."""
    hospitals = Hospitals(3)
    roster = hospitals.advertise()
    for i in range(3):
        with monkeypatch.context() as patch:
            if i == 1:
                patch.setattr(module, "share_out", lambda seed, t, n: share_out(b"x" * 16, t, n))
            hospitals.give(hospitals.clients[i].share(roster))
    delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
    for i in range(3):
        hospitals.give(hospitals.clients[i].mask(delivered[i], vectors[i]))
    survivors = hospitals.server.survivors()
    for i in range(3):
        hospitals.give(hospitals.clients[i].confirm(survivors))
    request = hospitals.server.request()
    for i in range(3):
        hospitals.give(hospitals.clients[i].unmask(request))
    with pytest.raises(RoundAbortedError, match="client 1 dealt shares that do not give back"):
        hospitals.server.finish()


def test_a_share_that_its_dealer_committed_to_otherwise_is_not_kept(monkeypatch):
    """Client 1 commits to other shares than it sends: answering with them would look like a lie."""
    hospitals = Hospitals(4)
    roster = hospitals.advertise()
    for i in range(4):
        with monkeypatch.context() as patch:
            if i == 1:
                patch.setattr(sharing, "share_commitment", lambda *_: bytes(32))
            hospitals.give(hospitals.clients[i].share(roster))
    delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
    for i in range(4):
        hospitals.give(hospitals.clients[i].mask(delivered[i], vectors[i]))
        assert sorted(hospitals.clients[i]._round.shares) == [0, 2, 3]
    survivors = hospitals.server.survivors()
    for i in range(4):
        hospitals.give(hospitals.clients[i].confirm(survivors))
    request = hospitals.server.request()
    for i in range(4):
        hospitals.give(hospitals.clients[i].unmask(request))
    with pytest.raises(RoundAbortedError, match="0 shares of client 1 came, and at least 3 must"):
        hospitals.server.finish()


def test_a_seed_is_not_rebuilt_from_fewer_than_t_shares():
    hospitals = Hospitals(4)
    request = hospitals.confirm()
    for i in (0, 3):
        hospitals.give(hospitals.clients[i].unmask(request))
    with pytest.raises(RoundAbortedError, match="2 shares of client 0 came, and at least 3 must"):
        hospitals.server.finish()


@pytest.mark.parametrize("holders", [(1, 2, 3), (0, 1, 2, 9)], ids=["not itself", "a stranger"])
def test_holders_must_be_the_dealer_and_clients_of_the_round(holders):
    hospitals = Hospitals(4)
    roster = hospitals.advertise()
    client = hospitals.clients[0]
    client._settings = WithHolders(holders)
    with pytest.raises(RefusedMessageError, match=r"client 0 .* not for itself and other clients"):
        hospitals.server.receive(client.share(roster))


class WithHolders(ProtocolSettings):
    """Settings of a client that gives its shares to whom it likes."""

    def __init__(self, holders):
        super().__init__()
        object.__setattr__(self, "holders", holders)

    def choose_holders(self, client, clients):
        return self.holders


def test_confirmations_of_those_who_dropped_out_do_not_count():
    """Client 3 masked too late to be in the sum, but signs all the same."""
    hospitals = Hospitals(4)
    survivors = hospitals.mask(who=[0, 1, 2])
    said = [hospitals.clients[i].confirm(survivors) for i in (0, 1)]
    digest = bytes(payload_of(said[0]))
    said.append(hospitals.forge(MessageKind.CONFIRMATION, digest, sender=3))
    request = hospitals.forge(MessageKind.REQUEST, packed_pieces(said))
    with pytest.raises(RefusedMessageError, match=r"2 clients have confirmed .* 3 must"):
        hospitals.clients[0].unmask(request)


def test_a_client_that_the_directory_does_not_have_is_refused():
    hospitals = Hospitals(3)
    strange = RoundAgreement(
        hospitals.server.session, 1, (0, 1, 2, 7), model(1), hospitals.settings.digest
    )
    opening = seal(hospitals.keys[SERVER], MessageKind.OPENING, strange.context, strange.packed)
    with pytest.raises(RefusedMessageError, match="has no key in the directory"):
        hospitals.clients[0].advertise(opening, model(1))


def test_a_request_without_enough_signatures_gets_no_answer():
    """The server signs for the clients itself, or takes one confirmation several times."""
    hospitals = Hospitals(4)
    survivors = hospitals.mask()
    said = [hospitals.clients[i].confirm(survivors) for i in range(4)]
    digest = bytes(payload_of(said[1]))
    for pieces, words in (
        ([said[0]] * 4, "1 clients have confirmed"),
        ([hospitals.forge(MessageKind.CONFIRMATION, digest)] * 3, "nothing is expected from there"),
        ([*said[:2], changed(said[2], -1)], "signature"),
        ([], "0 clients have confirmed"),
    ):
        with pytest.raises(RefusedMessageError, match=words):
            hospitals.clients[0].unmask(hospitals.forge(MessageKind.REQUEST, packed_pieces(pieces)))
    hospitals.clients[0].unmask(hospitals.forge(MessageKind.REQUEST, packed_pieces(said[:3])))


def test_a_server_cannot_choose_the_threshold_or_the_settings():
    hospitals = Hospitals(5, ProtocolSettings(colluding=1))
    opening = hospitals.server.open(1, range(5), model(1))
    client = AggregationClient(hospitals.keys[0], hospitals.directory, ProtocolSettings())
    with pytest.raises(RefusedMessageError, match="the server has other settings"):
        client.advertise(opening, model(1))
    few = RoundAgreement(hospitals.server.session, 2, (0, 1), model(1), hospitals.settings.digest)
    opening = seal(hospitals.keys[SERVER], MessageKind.OPENING, few.context, few.packed)
    with pytest.raises(RefusedMessageError, match="at least 3 must take part"):
        hospitals.clients[0].advertise(opening, model(1))
