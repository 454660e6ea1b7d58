"""What every link and rule has to hold, and what the chain does with them together."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from chains import FEDERATED, LINKS, NEEDS, OTHER_WORK, REFUSED, build, runs_alike
from federations import ALGORITHMS, BRIEFLY, Linear, Normed, comparable, federation, models
from links import watch

from medfl.chain import PARAMETERS, registry
from medfl.errors import MedflError


def test_every_link_and_rule_is_in_this_suite():
    """The sum is left out, because every other federation of the tests uses it."""
    links = {word for chain in LINKS.values() for word in chain.get("links", {})}
    rules = {chain["rule"] for chain in LINKS.values() if "rule" in chain}
    assert links == set(registry.LINKS)
    assert rules == set(registry.RULES) - {"sum"}


OF_A_KIND = ("clip", "secure_aggregation", "median", "label_flip", "fltrust")
PAIRS = [
    (name, chain)
    for name in sorted(ALGORITHMS)
    for chain in sorted(LINKS)
    if name not in BRIEFLY or chain in OF_A_KIND
]


def needed(chain):
    """The settings of a federation that goes with a chain: its second round meets what it kept."""
    settings = {"model": Normed, "sizes": (5, 16, 11, 8), "clients_per_round": 3, "rounds": 2}
    return settings | NEEDS.get(chain, {})


@lru_cache(maxsize=8)
def trained_plainly(name, needs):
    """A trainer without links after its rounds; chains with the same needs share it."""
    plain = build(name, **needed(needs))
    plain.train()
    return plain


@pytest.mark.parametrize(("name", "chain"), PAIRS)
def test_every_algorithm_composes_or_says_why_not(name, chain):
    """A composed link changes the run, but neither its steps nor its first training loss.

    Where it hides messages, or adds noise to gradients, the loss is not known.
    """
    settings = needed(chain)
    if name in ("local", "centralized"):
        with pytest.raises(MedflError, match=rf"{name} exchanges nothing, so `{chain}`"):
            build(name, LINKS[chain], **settings)
        return
    if words := REFUSED.get(chain, {}).get(name):
        with pytest.raises(MedflError, match=words):
            build(name, LINKS[chain], **settings)
        return
    plain = trained_plainly(name, chain if chain in NEEDS else "")
    linked = build(name, LINKS[chain], **settings)
    linked.train()
    assert linked.status == "completed"
    assert not torch.equal(plain.server.vector, linked.server.vector)
    if chain in OTHER_WORK:
        return
    for row, other in zip(linked.history[1:], plain.history[1:], strict=True):
        assert row["steps"] == (None if linked.server.chain.hides_steps else other["steps"])
    hidden = linked.server.chain.seals or chain in NEEDS
    assert linked.history[1]["train_loss"] == (None if hidden else plain.history[1]["train_loss"])
    buffers = linked.server.buffers
    own = name in ("fedbn", "silobn") or chain in NEEDS
    assert float(buffers[4:].min()) > 0 if len(buffers) else own


# Strength zero.


IDLE = [
    {"links": {}, "rule": "sum"},
    {"links": {"clip": {"norm": None}, "quantize": {"bits": None}}},
    {"links": {"secure_aggregation": {"bound": None}, "ckks": {"bound": None}}},
    {"links": {"clip": {"norm": 1e9}}},
]


@lru_cache(maxsize=4)
def plain_rounds(name):
    """A federation without links, and its models, with which each chain's are compared."""
    plain = build(name, model=Normed)
    return plain, models(plain)


@pytest.mark.parametrize(
    ("name", "chain"),
    [(name, chain) for name in FEDERATED for chain in IDLE[-1 if name in BRIEFLY else 0 :]],
)
def test_at_strength_zero_a_link_steps_aside(name, chain):
    if name in REFUSED["clip"] and chain.get("links", {}).get("clip", {}).get("norm"):
        pytest.skip("it is refused")
    plain, rounds = plain_rounds(name)
    idle = build(name, chain, model=Normed)
    for a, b in zip(rounds, models(idle), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(plain.server.buffers, idle.server.buffers)
    assert all(
        {**row, "clipped": 0.0} == {**other, "clipped": 0.0}
        for row, other in zip(comparable(plain.history), comparable(idle.history), strict=True)
    )


@pytest.mark.parametrize("option", [1, 2])
@pytest.mark.parametrize("chain", ["clip", "quantize", "secure_aggregation", "ckks"])
def test_the_server_variate_stays_the_mean_of_all_clients(chain, option):
    """A client's variate moves by the Δc_i that the server got, not by the one before the links."""
    trainer = federation(
        "scaffold",
        {"option": option},
        chain=LINKS[chain],
        sizes=(8, 16, 12, 6, 20),
        clients_per_round=3,
        rounds=5,
    )
    zeros = torch.zeros_like(trainer.server.vector)

    def check(row):
        own = [len(one.rows) * one.state.get("c", zeros) for one in trainer.clients]
        mean = sum(own) / 62  # the training samples of all
        assert torch.allclose(trainer.server.algorithm.state["c"], mean, rtol=0, atol=1e-12)

    trainer.on_round = check
    trainer.train()


# The chain as a whole.


def test_the_order_is_that_of_the_meaning():
    """Updates are clipped before they are quantised, in whichever order links are written."""
    links = {"quantize": {"bits": 4}, "clip": {"norm": 0.1}}
    one = build("fedavg", {"links": links})
    other = build("fedavg", {"links": dict(reversed(links.items()))})
    assert [link.name for link in one.server.chain.links] == ["clip", "quantize"]
    sent = watch(one)
    runs_alike(one, other)
    for message in sent[1].values():
        levels = message.parts[PARAMETERS].update / (
            message.parts[PARAMETERS].update.abs().max() / 7
        )
        assert torch.allclose(levels, levels.round(), atol=1e-6)


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ({"links": {"clp": {}}}, "unknown link `clp`; did you mean `clip`?"),
        ({"links": {"clip": {"nrm": 1}}}, "unknown key `nrm`; did you mean `norm`?"),
        ({"links": {"clip": {"norm": 0}}}, "greater than 0"),
        ({"links": {"clip": {"norm": float("nan")}}}, "finite"),
        ({"links": {"quantize": {"bits": 1}}}, "greater than or equal to 2"),
        ({"rule": "medain"}, "unknown rule `medain`; did you mean `median`?"),
        ({"rule": "median", "rule_params": {"f": 1}}, "unknown key `f`"),
        ({"links": {"links:Nothing": {}}}, "cannot be loaded"),
        ({"links": {"federations:Linear": {}}}, "is not a subclass of medfl.chain.Link"),
    ],
)
def test_mistakes(chain, words):
    with pytest.raises(MedflError) as error:
        federation(chain=chain, model=Linear)
    assert words in str(error.value)


@pytest.mark.parametrize("chain", [{"links": {"quantize": None}}, {"links": None}, None])
def test_what_yaml_calls_null_is_the_default(chain):
    assert federation(chain=chain).config.chain.rule == "sum"
