"""The link: a run whose server cannot read any sum, and what it does not go with."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from chains import LINKS, build, composing, runs_alike
from federations import ALGORITHMS, Grouped, Linear, Normed, federation, models
from links import losing, watch

from medfl.chain import PARAMETERS, Link, Sealed
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics
from medfl.privacy.sealed.envelope import OVERHEAD

SIZES = (8, 16, 12, 6)
# Room for 45 bits: 2 for 4 clients, 1 for equal weights, 42 for a coordinate.
EQUAL = {
    "degree": 8192,
    "modulus_bits": [60, 60, 60],
    "weight_bits": 1,
    "weight_unit": 1.0,
    "bound": 0.5,
    "bounds": {"delta_c": 1.5},
}
SUM_BYTES = 62464 + 4 + 8 * (1 + 4) + OVERHEAD  # one ciphertext, and who is in the sum


def encrypted(algorithm="fedavg", params=None, links=None, **settings):
    chain = {"links": {"ckks": params or {}, **(links or {})}}
    settings = {"sizes": SIZES, "model": Linear, **settings}
    return build(algorithm, chain, **settings)


def ckks(trainer):
    return next(link for link in trainer.server.chain.links if link.name == "ckks")


def test_the_sum_is_that_of_the_whole_numbers_to_the_last_bit():
    """Of what each client encrypted, added up by numpy; the totals follow from it alone."""
    trainer = encrypted(rounds=2)
    rounds, added, opened = ckks(trainer)._rounds, [], []
    encrypt, finish = rounds.encrypt, rounds.finish
    rounds.encrypt = lambda client, values, *rest: (
        added.append(values.copy()),
        encrypt(client, values, *rest),
    )[1]
    rounds.finish = lambda *rest: (opened.append(finish(*rest)), opened[-1])[1]
    trainer.train()
    assert len(opened) == 2
    for number, found in enumerate(opened):
        assert (found == sum(added[4 * number : 4 * number + 4])).all()
    assert (found[111], np.abs(found).max() > 1000) == (sum(SIZES), True)


@pytest.mark.parametrize("name", sorted({*composing("ckks")} - {"fednova"}))
def test_through_its_whole_path_the_run_is_the_plain_one(name):
    plain = build(name, model=Normed, weighting="uniform")
    # What goes beyond 0.5 here: h by its nature, and statistics in twice as many steps a round.
    wide = {"qfedavg": {"h": 100.0}, "fedrep": {"statistics": 2.0}}
    settings = EQUAL | {"bounds": EQUAL.get("bounds", {}) | wide.get(name, {})}
    hidden = build(name, {"links": {"ckks": settings}}, model=Normed, weighting="uniform")
    runs_alike(plain, hidden, atol=1e-12)
    assert [row["outside_bound"] for row in hidden.history[1:]] == [0.0] * 3


def test_weights_that_are_fractions_are_rounded():
    runs_alike(
        build("fednova", model=Normed), build("fednova", LINKS["ckks"], model=Normed), atol=1e-5
    )


def test_the_same_run_to_the_bit_whichever_keys_and_noise_are_drawn():
    """And with the same bytes: a ciphertext is filled up to one size."""
    both = [encrypted(rounds=3, model=Normed) for _ in range(2)]
    runs_alike(*both)
    bytes_of = [[(r["bytes_up"], r["bytes_down"]) for r in one.history] for one in both]
    assert bytes_of[0] == bytes_of[1]


@pytest.mark.parametrize("choice", [{"share": 0.3}, {"layers": ["*.weight"]}, {"layers": ["*"]}])
@pytest.mark.parametrize("name", ["scaffold", "fedbn"])
def test_what_is_encrypted_changes_no_bit_of_the_run(name, choice):
    both = [encrypted(name, one, model=Normed, rounds=3) for one in ({}, choice)]
    runs_alike(*both)


def test_bytes_are_those_of_ciphertexts_both_ways():
    """Up one message of each; down the sum, to all; before the first round the model, in the clear.

    Linear has 111 parameters of 8 bytes, so with two weights one ciphertext is enough.
    """
    trainer = encrypted(rounds=3, clients_per_round=3)
    trainer.train()
    message = 62464 + 4 + OVERHEAD
    total = message + 8 * (1 + 3)
    assert [row["bytes_up"] for row in trainer.history[1:]] == [3 * message] * 3
    down = [4 * (111 * 8 + total), 4 * total, 4 * total]
    assert [row["bytes_down"] for row in trainer.history[1:]] == down


def test_nothing_but_signed_ciphertexts_travels():
    trainer = encrypted(rounds=1)
    seen, own = [], watch(trainer)
    original = ckks(trainer).add
    ckks(trainer).add = lambda message: (seen.append(message), original(message))[1]
    trainer.train()
    assert [message.client for message in seen] == [0, 1, 2, 3]
    for message in seen:
        assert (message.parts, message.loss, message.weight) == ({}, None, 1.0)
        said, _ = message.sealed.content
        assert isinstance(said, bytes)
        assert len(said) == 62464 + 4 + OVERHEAD
        point = ckks(trainer)._points.usual
        sent = own[1][message.client].parts[PARAMETERS].update
        units = (sent * SIZES[message.client] / point.step).round().long().numpy()
        for kind in ("<i4", "<i8", "<f8"):
            words = np.frombuffer(said[: len(said) // 8 * 8], kind)
            assert not np.isin(units[np.abs(units) > 100], words).any()
    assert trainer.history[1]["train_loss"] is None


def test_what_is_left_in_the_clear_can_be_read_by_anyone():
    """The weighted update of every open coordinate: the docs say so, and the record."""
    trainer = encrypted(params={"share": 0.4}, rounds=1)
    seen, own = [], watch(trainer)
    original = ckks(trainer).add
    ckks(trainer).add = lambda message: (seen.append(message), original(message))[1]
    trainer.train()
    hidden = ckks(trainer)._selection.parameters
    assert hidden.sum() == round(0.4 * 111)
    for message in seen:
        said, _ = message.sealed.content
        clear = np.frombuffer(said[: len(said) - 64][-4 * int((~hidden).sum()) :], "<i4")
        update = own[1][message.client].parts[PARAMETERS].update.numpy()[~hidden]
        step = ckks(trainer)._points.usual.step
        assert np.abs(clear * step / SIZES[message.client] - update).max() < 1e-12
    record = run_metrics(trainer)["chain"]["ckks"]
    assert record["share_in_the_clear"] == {"parameters": pytest.approx(67 / 111)}
    # 44 coordinates and two weights of 113 numbers.
    assert trainer.history[1]["encrypted"] == pytest.approx(46 / 113)


def test_a_part_like_the_parameters_is_divided_as_they_are():
    """Δc of SCAFFOLD says what the update is, so that it may show no more of it."""
    trainer = encrypted("scaffold", {"share": 0.4}, rounds=1)
    kept = []
    encrypt = ckks(trainer)._rounds.encrypt
    ckks(trainer)._rounds.encrypt = lambda client, values, hidden: (
        kept.append(hidden),
        encrypt(client, values, hidden),
    )[1]
    trainer.train()
    hidden = kept[0]
    assert len(hidden) == 2 * (111 + 1) + 1
    assert hidden[[111, 112, 224]].all()  # weights, and that of no statistics at all
    assert (hidden[:111] == hidden[113:224]).all()


def test_a_client_that_drops_out_leaves_the_mean_of_the_others():
    both = []
    for trainer in (encrypted(rounds=2), federation(sizes=SIZES, rounds=2, model=Linear)):
        both.append(list(models(losing(trainer, {1: [1], 2: [3]}))))
        assert [row["participants"] for row in trainer.history[1:]] == [3, 3]
    for one, other in zip(*both, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["scaffold", "feddyn", "fedbn", "ditto"])
def test_a_round_of_fewer_than_three_is_given_up_and_the_next_one_goes_on(algorithm, caplog):
    trainer = losing(encrypted(algorithm, model=Normed, rounds=3), {2: [0, 1]})
    seen = []
    trainer.on_round = lambda row: seen.append(
        (
            trainer.server.vector.clone(),
            [{key: value.clone() for key, value in c.state.items()} for c in trainer.clients],
        )
    )
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0, 1.0, 0.0]
    assert torch.equal(seen[1][0], seen[2][0])
    for one, other in zip(seen[1][1], seen[2][1], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not torch.equal(seen[2][0], seen[3][0])
    assert "round 2 is given up: encryption: 2 hospitals answered" in caplog.text
    assert trainer.history[2]["bytes_down"] == 0  # no sum was sent


class Spoilt(Link):
    """What client 1 sends is spoilt on the way: a bit flipped, cut short, or last round's."""

    class Params(Link.Params):
        """how: flipped, short or replayed."""

        how: str = "flipped"

    stage = "round"
    last = b""

    def message(self, client, message):
        said, places = message.sealed.content
        if client.id == 1:
            self.last, said = said, self._spoilt(client, said)
        return replace(message, sealed=Sealed((said, places), len(said)))

    def _spoilt(self, client, said):
        if self.params.how == "replayed":
            return said if client.server.round == 1 else self.last
        flipped = bytes([said[5000] ^ 1])
        changed = said[:5000] + flipped + said[5001:]
        return changed if self.params.how == "flipped" else said[:-100]


@pytest.mark.parametrize(
    ("how", "out", "words"),
    [
        ("flipped", {1: [1], 2: [1]}, "its signature is not"),
        ("short", {1: [1], 2: [1]}, "not 62468 as it says"),
        ("replayed", {2: [1]}, "it is of another round"),
    ],
)
def test_a_spoilt_message_is_left_out_and_the_others_have_their_sum(how, out, words, caplog):
    both = [encrypted(links={"test_ckks_link:Spoilt": {"how": how}}, rounds=2)]
    both.append(losing(federation(sizes=SIZES, rounds=2, model=Linear), out))
    with caplog.at_level(logging.WARNING):
        runs_alike(*both, atol=1e-4)
    assert f"a message of client 1 is refused and left out: {words}" in caplog.text.replace(
        "it has 62468 bytes, ", ""
    ).replace("it has 62368 bytes, ", "")
    assert [row["given_up"] for row in both[0].history[1:]] == [0.0, 0.0]


def test_a_forged_sum_ends_the_round_with_one_message(caplog):
    """In round 2 the server adds one hospital's ciphertexts twice."""
    trainer = encrypted(rounds=3)
    rounds, seen = ckks(trainer)._rounds, []
    original = rounds.add

    def add(message):
        sender = original(message)
        if len(rounds.total.answered) == 4 and len(seen) == 1:
            rounds.total._sums = [one + one for one in rounds.total._sums]
        return sender

    rounds.add = add
    trainer.on_round = lambda row: seen.append(trainer.server.vector.clone()) if row["round"] else 0
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert [row["given_up"] for row in trainer.history[1:]] == [0.0, 1.0, 0.0]
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    told = [one for one in caplog.messages if "given up" in one]
    assert len(told) == 1
    assert "1 of 1 ciphertexts that the server sent are not the sum of this round's" in told[0]
    assert trainer.history[2]["bytes_down"] == 4 * SUM_BYTES  # it was sent, and refused


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "ditto"])
def test_noise_at_each_client_goes_inside_the_ciphertext(name):
    noise = {"dp_image": {"noise_multiplier": 1.0, "max_grad_norm": 1.0}}
    settings = {"sizes": (20, 24, 28, 16), "model": Grouped, "normalization": "group"}
    settings |= {"local_steps": 3, "rounds": 2, "weighting": "uniform"}
    both = []
    for links in (noise, {**noise, "ckks": {**EQUAL}}):
        both.append(federation(name, ALGORITHMS[name], chain={"links": links}, **settings))
    runs_alike(*both, atol=1e-11)
    for trainer in both:
        assert trainer.history[2]["epsilon"] == both[0].history[2]["epsilon"] > 0


HOSPITAL = {"dp_hospital": {"noise_multiplier": 1.0, "max_noise_ratio": 1e9}}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"links": {"secure_aggregation": {}}}, "the link secure_aggregation sums them"),
        ({"links": {"links:Mimic": {}}}, "the link links:Mimic looks at them"),
        ({"clients_per_round": 2}, "at least 3 clients, not 2"),
        ({"sizes": (8, 8)}, "at least 3 clients, not 2"),
        ({"params": {"value_bits": 19}}, "sums may leave the ring"),
        ({"params": {"unit_bits": 26}}, "the check slots need"),
        ({"params": {"unit_bits": 22, "value_bits": 18}}, "have room for 31 bits in all"),
        ({"params": {"unit_bits": 5}}, "choose 18 to 40"),
        ({"params": {"degree": 2048}}, "4096, 8192 or 16384"),
        ({"params": {"modulus_bits": [60, 60]}}, "at most 109 bits"),
        ({"params": {"modulus_bits": [54]}}, "two or more"),
        ({"params": {"share": 1.0}}, "less than 1"),
        ({"params": {"share": 0.5, "layers": ["*"]}}, "both say what is encrypted"),
        ({"params": {"layers": []}}, "at least 1 item"),
        (
            {"params": {"layers": ["head.*"]}},
            r"'head\.\*' of `layers`\. There are 1\.weight",
        ),
        ({"params": {"bnd": 1.0}}, "did you mean `bound`"),
        (
            {"links": HOSPITAL, "weighting": "uniform", "local_steps": 2},
            "ckks rounds updates, which makes them longer than the bound",
        ),
        (
            {
                "links": {"dp_hospital": {"noise_multiplier": 1.0, "noise": "distributed"}},
                "weighting": "uniform",
                "local_steps": 2,
            },
            "Add the link secure_aggregation",
        ),
    ],
)
def test_what_does_not_compose_is_refused_before_training(settings, words):
    with pytest.raises(MedflError, match=words):
        encrypted(**settings)


def test_the_median_needs_single_messages():
    with pytest.raises(MedflError, match="the rule median needs each client's"):
        build("fedavg", {"links": {"ckks": {}}, "rule": "median"}, sizes=SIZES)


@pytest.mark.parametrize("name", ["local", "centralized"])
def test_what_exchanges_nothing_has_nothing_to_encrypt(name):
    with pytest.raises(MedflError, match="exchanges nothing, so `ckks`"):
        build(name, {"links": {"ckks": {}}}, sizes=SIZES)


def test_the_record_says_who_reads_what():
    trainer = encrypted(rounds=1)
    trainer.train()
    assert run_metrics(trainer)["chain"]["ckks"] == {
        "scheme": "CKKS, one key for all hospitals",
        "security_bits": 128,
        "degree": 4096,
        "modulus_bits": [54, 54],
        "ciphertext_bytes": 62464,
        "clients_per_round": 4,
        "value_bits": 18,
        "weight_bits": 12,
        "sums_and_model_are_read_by": "every hospital, and not the server",
        "updates_are_read_by": "the server together with any one hospital",
        "share_in_the_clear": {},
    }
