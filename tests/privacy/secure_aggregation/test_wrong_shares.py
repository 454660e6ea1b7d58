"""Shares that were changed, that are another's, or too few: each is tried here, and fails."""

from __future__ import annotations

import pytest
from secure_rounds import Hospitals, changed, payload_of

from medfl.privacy.sealed.envelope import MessageKind
from medfl.privacy.sealed.payload import PayloadReader
from medfl.privacy.secure_aggregation import (
    ProtocolSettings,
    RefusedMessageError,
    RoundAbortedError,
    sharing,
)
from medfl.privacy.secure_aggregation import client as module
from medfl.privacy.secure_aggregation.sharing import share_out


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


def test_a_share_that_was_changed_on_the_way_is_not_passed_on_and_the_round_goes_on():
    """The last packet of client 0's delivery is client 3's; the others' shares are enough."""
    hospitals = Hospitals(4)
    delivered = hospitals.share()
    payload = bytes(payload_of(delivered[0]))
    delivered[0] = hospitals.forge(MessageKind.DELIVERY, changed(payload, -1))
    for i in range(4):
        hospitals.give(hospitals.clients[i].mask(delivered[i], hospitals.vectors()[i]))
    assert sorted(hospitals.clients[0]._round.shares) == [0, 1, 2]
    assert hospitals.reveal().tolist() == [6000 + 4 * (k + 1) for k in range(7)]


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
    delivered = hospitals.server.deliver()
    with pytest.raises(RoundAbortedError, match="client 1 dealt shares that do not give back"):
        hospitals.finish(delivered)


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
    with pytest.raises(RoundAbortedError, match="0 shares of client 1 came, and at least 3 must"):
        hospitals.reveal()


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
