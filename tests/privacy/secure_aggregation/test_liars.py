"""What public implementations let pass: each is tried here, and fails.

The server of these tests lies with its own right signature, and so does a client where it says so.
"""

from __future__ import annotations

import pytest
from secure_rounds import Hospitals, changed, model, payload_of

from medfl.privacy.sealed.envelope import MessageKind, seal
from medfl.privacy.sealed.payload import PayloadReader, packed_pieces
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.secure_aggregation import (
    AggregationClient,
    ProtocolSettings,
    RefusedMessageError,
)
from medfl.privacy.secure_aggregation.settings import RoundAgreement
from medfl.privacy.secure_aggregation.survivors import STATEMENT_BYTES


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


def test_of_three_clients_no_list_of_two_is_confirmed():
    """t is 2 of 3, but of a sum of two each client could read the other's update."""
    hospitals = Hospitals(3)
    right = hospitals.mask()
    client = hospitals.clients[0]
    with pytest.raises(RefusedMessageError, match="2 clients are left, and at least 3 must be"):
        client.confirm(hospitals.listing([0, 1]))
    assert client.confirm(right)
