"""Messages that are wrong, truncated, unsigned, foreign or there twice; the others go on."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from secure_rounds import Hospitals, changed, model

from medfl import MedflError
from medfl.privacy.sealed.envelope import OVERHEAD, MessageKind
from medfl.privacy.sealed.payload import PayloadReader, packed
from medfl.privacy.secure_aggregation import (
    KeyDirectory,
    RefusedMessageError,
    RoundAbortedError,
    SigningIdentity,
)
from medfl.privacy.secure_aggregation.survivors import STATEMENT_BYTES

STEPS = ("keys", "shares", "masked vectors", "confirmations", "answers")


class Paused:
    """A round of four clients that stands before client 3's answer of step ``step``."""

    def __init__(self, step: int) -> None:
        self.hospitals = hospitals = Hospitals(4)
        self.step = step
        opening = hospitals.server.open(1, range(4), model(1))
        self.asked = [lambda i: hospitals.clients[i].advertise(opening, model(1))]
        for number in range(step):
            for i in range(4):
                hospitals.give(self.asked[number](i))
            self.asked.append(self._ask(number))
        for i in range(3):
            hospitals.give(self.asked[step](i))
        self.message = self.asked[step](3)

    def _ask(self, number: int):
        hospitals = self.hospitals
        if number == 0:
            roster = hospitals.server.roster()
            return lambda i: hospitals.clients[i].share(roster)
        if number == 1:
            delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
            return lambda i: hospitals.clients[i].mask(delivered[i], vectors[i])
        if number == 2:
            survivors = hospitals.server.survivors()
            return lambda i: hospitals.clients[i].confirm(survivors)
        request = hospitals.server.request()
        return lambda i: hospitals.clients[i].unmask(request)

    def end(self) -> list[int]:
        """The round goes on without client 3."""
        for number in range(self.step, 4):
            ask = self._ask(number)
            for i in range(3):
                self.hospitals.give(ask(i))
        return self.hospitals.server.finish().tolist()


@pytest.mark.parametrize("step", range(5), ids=STEPS)
def test_a_wrong_message_is_refused_and_the_others_have_their_sum(step):
    paused = Paused(step)
    hospitals, message = paused.hospitals, paused.message
    foreign = Hospitals(4).keys[3].sign(b"")
    rest = message[: -len(foreign)]
    stranger = Paused(step).message  # of another session, whose keys this server does not know
    for wrong, words in (
        (b"", "truncated"),
        (message[:50], "truncated"),
        (message[:-1], "not .* as it says"),
        (message + b"\0", "not .* as it says"),
        (rest + bytes(64), "signature is not that"),
        (rest + foreign, "signature is not that"),
        (changed(message, -1), "signature is not that"),
        (changed(message, OVERHEAD - 64), "signature is not that"),
        (changed(message, 20), "signature is not that"),
        (changed(message, 0), "no message of medfl"),
        (stranger, "signature is not that"),
        (b"\x00" * len(message), "no message of medfl"),
        ("text", "must be bytes"),
        (None, "must be bytes"),
        (hospitals.sent[-1], "second one"),
    ):
        with pytest.raises(RefusedMessageError, match=words):
            hospitals.server.receive(wrong)
    masks_of_3 = [4, 3][step <= 2]  # from step 3 on the vector of client 3 is in the sum
    total = sum(1000 * i for i in range(masks_of_3))
    assert paused.end() == [total + masks_of_3 * (k + 1) for k in range(7)]


@pytest.mark.parametrize("step", range(5), ids=STEPS)
def test_a_right_message_is_taken_after_wrong_ones(step):
    paused = Paused(step)
    with pytest.raises(RefusedMessageError):
        paused.hospitals.server.receive(changed(paused.message, -1))
    assert paused.hospitals.server.receive(paused.message) == 3
    with pytest.raises(RefusedMessageError, match=r"client 3 .* second one"):
        paused.hospitals.server.receive(paused.message)


@pytest.mark.parametrize("step", range(5), ids=STEPS)
def test_every_payload_that_is_signed_and_damaged_is_refused(step):
    """Client 3 signs what it likes: no reading error comes out, and nothing is taken in."""
    paused = Paused(step)
    hospitals = paused.hospitals
    payload = paused.message[OVERHEAD - 64 : -64]
    kind = MessageKind(paused.message[8])
    damaged = [payload[:-1], payload + b"\0", payload[: len(payload) // 2], b"", payload * 2]
    damaged += [b"\xff" * len(payload), bytes(len(payload) + 1)]
    for wrong in damaged:
        if kind == MessageKind.MASKED and len(wrong) % 4 == 0 and wrong:
            wrong = wrong[:-4]  # of another length than the first vector
        with pytest.raises(RefusedMessageError, match="client 3"):
            hospitals.server.receive(hospitals.forge(kind, wrong, sender=3))
    assert hospitals.server.receive(paused.message) == 3


def test_a_message_of_another_kind_is_refused():
    paused = Paused(2)
    payload = paused.message[OVERHEAD - 64 : -64]
    wrong = paused.hospitals.forge(MessageKind.KEYS, payload, sender=3)
    with pytest.raises(RefusedMessageError, match="kind `keys`, and `masked vectors` are due"):
        paused.hospitals.server.receive(wrong)


def test_vectors_of_another_length_are_refused():
    hospitals = Hospitals(3)
    hospitals.share()
    state = hospitals.server._state
    for length, size in ((7, 6), (7, 8), (None, 0)):
        state.length = length
        payload = np.zeros(size, "<u4").tobytes() + bytes(STATEMENT_BYTES)
        with pytest.raises(RefusedMessageError, match=f"has {4 * size} bytes"):
            hospitals.server.receive(hospitals.forge(MessageKind.MASKED, payload, sender=1))
    with pytest.raises(RefusedMessageError, match="has 5 bytes, which are not any number"):
        hospitals.server.receive(
            hospitals.forge(MessageKind.MASKED, bytes(5 + STATEMENT_BYTES), sender=1)
        )


def test_shares_for_others_than_the_witness_names_are_refused():
    hospitals = Hospitals(3)
    roster = hospitals.advertise()
    payload = hospitals.clients[1].share(roster)[OVERHEAD - 64 : -64]
    first = 8 + PayloadReader(memoryview(payload), 1).number()
    size = (len(payload) - first) // 3
    packets = [payload[first + k * size : first + (k + 1) * size] for k in range(3)]
    swapped = payload[:first] + packets[1] + packets[0] + packets[2]
    other = payload[:first] + packed(2) + packets[0][8:] + packets[1] + packets[2]
    for wrong in (swapped, other):
        with pytest.raises(RefusedMessageError, match="not for those whom its witness names"):
            hospitals.server.receive(hospitals.forge(MessageKind.SHARES, wrong, sender=1))
    # Client 2's shares under client 1's signature: the witness in them is client 2's.
    foreign = hospitals.clients[2].share(roster)[OVERHEAD - 64 : -64]
    with pytest.raises(RefusedMessageError, match="not for those whom its witness names"):
        hospitals.server.receive(hospitals.forge(MessageKind.SHARES, foreign, sender=1))


def test_clients_refuse_damaged_messages_of_the_server_and_take_the_right_one():
    hospitals = Hospitals(3)
    client = hospitals.clients[0]
    opening = hospitals.server.open(1, range(3), model(1))

    def refused(answer, message, kind):
        payload = message[OVERHEAD - 64 : -64]
        wrong = [message[:-1], changed(message, -1), b"", b"x" * 200, None]
        wrong += [hospitals.forge(kind, payload[:-1]), hospitals.forge(kind, payload + b"\0")]
        wrong += [
            hospitals.forge(kind, payload, sender=1),
            hospitals.forge(MessageKind.ANSWER, payload),
        ]
        wrong += [hospitals.forge(kind, b"\xff" * len(payload))]
        for text in wrong:
            with pytest.raises(RefusedMessageError):
                answer(text)
        return answer(message)

    for i in (1, 2):
        hospitals.give(hospitals.clients[i].advertise(opening, model(1)))
    hospitals.give(refused(lambda m: client.advertise(m, model(1)), opening, MessageKind.OPENING))
    roster = hospitals.server.roster()
    for i in (1, 2):
        hospitals.give(hospitals.clients[i].share(roster))
    hospitals.give(refused(client.share, roster, MessageKind.ROSTER))
    delivered, vectors = hospitals.server.deliver(), hospitals.vectors()
    for i in (1, 2):
        hospitals.give(hospitals.clients[i].mask(delivered[i], vectors[i]))
    mask = refused(lambda m: client.mask(m, vectors[0]), delivered[0], MessageKind.DELIVERY)
    hospitals.give(mask)
    survivors = hospitals.server.survivors()
    for i in (1, 2):
        hospitals.give(hospitals.clients[i].confirm(survivors))
    hospitals.give(refused(client.confirm, survivors, MessageKind.SURVIVORS))
    request = hospitals.server.request()
    hospitals.give(refused(client.unmask, request, MessageKind.REQUEST))
    hospitals.give(hospitals.clients[1].unmask(request))
    assert hospitals.server.finish().tolist() == [3000 + 3 * (k + 1) for k in range(7)]


def test_messages_out_of_turn_are_refused():
    hospitals = Hospitals(3)
    server = hospitals.server
    for step in (server.roster, server.finish):
        with pytest.raises(MedflError, match="the round is not open, and this step comes after"):
            step()
    with pytest.raises(RefusedMessageError, match="no round is open"):
        server.receive(b"")
    with pytest.raises(RefusedMessageError, match="client 0 is in no round"):
        hospitals.clients[0].share(b"")
    roster = hospitals.advertise()
    for step in (server.roster, server.survivors, server.request, server.finish):
        with pytest.raises(MedflError, match="the round waits for shares, and this step comes"):
            step()
    with pytest.raises(RefusedMessageError, match="one answer to each message"):
        hospitals.clients[0].confirm(hospitals.listing([0, 1, 2]))
    hospitals.clients[0].share(roster)
    with pytest.raises(RefusedMessageError, match="one answer to each message"):
        hospitals.clients[0].share(roster)


def test_a_round_below_the_threshold_leaves_nothing_behind():
    hospitals = Hospitals(3)
    delivered = hospitals.share()
    hospitals.give(hospitals.clients[1].mask(delivered[1], hospitals.vectors()[1]))
    with pytest.raises(RoundAbortedError, match="1 of 3 clients sent their masked vectors, and"):
        hospitals.server.survivors()
    assert hospitals.server._state is None


def test_a_client_that_a_round_does_not_have_is_not_heard():
    hospitals = Hospitals(5)
    opening = hospitals.server.open(1, [0, 1, 2], model(1))
    with pytest.raises(RefusedMessageError, match="client 4 is not among its clients"):
        hospitals.clients[4].advertise(opening, model(1))
    with pytest.raises(RefusedMessageError, match=r"client 4 .* nothing is expected from there"):
        hospitals.server.receive(hospitals.forge(MessageKind.KEYS, bytes(96), sender=4))


@pytest.mark.parametrize("clients", [[0, 1], [0, 0, 1, 2], [-1, 0, 1], []])
def test_rounds_of_too_few_double_or_negative_clients_are_not_opened(clients):
    with pytest.raises(MedflError, match=r"at least 3|each there once"):
        Hospitals(3).server.open(1, clients, model(1))


def test_a_hash_of_another_length_is_no_hash_of_a_model():
    with pytest.raises(MedflError, match="must have 32 bytes, not 5"):
        Hospitals(3).server.open(1, range(3), b"short")


def test_the_directory_refuses_keys_that_two_have_or_that_are_none():
    keys = [SigningIdentity(i).public for i in range(3)]
    with pytest.raises(MedflError, match="client 0 and client 1 have the same key"):
        KeyDirectory(keys[2], {0: keys[0], 1: keys[0]})
    with pytest.raises(MedflError, match="the server and client 1 have the same key"):
        KeyDirectory(keys[2], {0: keys[0], 1: keys[2]})
    with pytest.raises(MedflError, match="that of client 1 is no Ed25519 public key"):
        KeyDirectory(keys[2], {0: keys[0], 1: b"short"})
    with pytest.raises(MedflError, match="numbers from 0 on"):
        KeyDirectory(keys[2], {-1: keys[0]})
    with pytest.raises(MedflError, match="must have 32 bytes, not 3"):
        SigningIdentity(1, b"123")


def test_a_signing_key_can_be_kept_and_taken_again():
    identity = SigningIdentity(4)
    again = SigningIdentity(4, identity.private)
    directory = KeyDirectory(SigningIdentity(-1).public, {4: identity.public})
    assert directory.verifies(4, again.sign(b"text"), b"text")
    assert not directory.verifies(4, again.sign(b"text"), b"Text")
    assert not directory.verifies(5, again.sign(b"text"), b"text")


def test_errors_cross_processes():
    for error in (RefusedMessageError(3, "why"), RoundAbortedError(2, "why")):
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert vars(again) == vars(error)
