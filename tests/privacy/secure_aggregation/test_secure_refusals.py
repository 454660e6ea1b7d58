"""What masks do not go with is refused before training, and what followed from settings is said."""

from __future__ import annotations

import pytest
from chains import build
from federations import Linear, federation

from medfl.algorithms.fednova import FedNova
from medfl.chain import Link
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics
from medfl.grid import load_grid

SIZES = (8, 16, 12, 6)


class SealsToo(Link):
    stage = "mask"

    def combination(self, number, inner):
        return inner


def masked(params=None, links=None, rule="sum", **settings):
    chain = {"links": {"secure_aggregation": params or {}, **(links or {})}, "rule": rule}
    return build("fedavg", chain, **{"sizes": SIZES, "model": Linear, **settings})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rule": "median"}, "the rule median needs each client"),
        ({"links": {"links:Mimic": {}}}, "the link links:Mimic looks at them"),
        (
            {"links": {"test_secure_refusals:SealsToo": {}}},
            "the link test_secure_refusals:SealsToo sums them",
        ),
        ({"clients_per_round": 2}, "at least 3 must take part"),
        ({"sizes": (8, 8)}, "at least 3 must take part"),
        ({"params": {"colluding": 3}}, "could hold one honest client alone"),
        ({"params": {"threshold": 2}}, "must be at least 3"),
        ({"params": {"threshold": 5}}, "can never be reached"),
        ({"params": {"value_bits": 19}}, "sums may leave the ring"),
        ({"params": {"weight_bits": 29}}, "sums may leave the ring"),
        ({"params": {"bound": 0.0}}, "greater than 0"),
        ({"params": {"ring_bits": 48}}, "32 or 64"),
        ({"params": {"bounds": {"parameters": 0.0}}}, "greater than 0"),
        ({"params": {"bnd": 1.0}}, "did you mean `bound`"),
    ],
)
def test_what_does_not_compose_is_refused_before_training(settings, words):
    with pytest.raises(MedflError, match=words):
        masked(**settings)


def test_weights_that_do_not_fit_are_refused_without_telling_them():
    trainer = masked({"weight_bits": 3})
    with pytest.raises(MedflError, match="above 7, the largest that 3 weight_bits hold") as error:
        trainer.train()
    assert " 8" not in str(error.value)


def nova(link="secure_aggregation", params=None, bounds=None, **settings):
    """FedNova of three clients; ‖a‖ of 3 steps is 3 for plain SGD."""
    chain = {"links": {link: {"bounds": bounds or {}}}}
    steps = {"local_steps": 3} if "local_epochs" not in settings else {}
    return federation("fednova", params, chain=chain, sizes=(40, 16, 12), **steps, **settings)


def test_fednova_needs_fractions_of_weights():
    chain = {"links": {"secure_aggregation": {"bounds": {"a": 1000.0}}}}
    with pytest.raises(MedflError, match=r"below half a weight_unit|rounded by more than"):
        federation("fednova", chain=chain, sizes=(40, 16, 12), local_epochs=3).train()
    fractions = {"ring_bits": 64, "weight_unit": 1e-5, "bounds": {"a": 1000.0}}
    chain = {"links": {"secure_aggregation": fractions}}
    trainer = federation("fednova", chain=chain, sizes=(40, 16, 12), local_epochs=3)
    trainer.train()
    assert trainer.status == "completed"


@pytest.mark.parametrize("link", ["secure_aggregation", "ckks"])
@pytest.mark.parametrize(
    ("settings", "size", "enough"),
    [
        ({}, "3", 3),
        # Momentum ½: 1 + 1.5 + 1.75. A term of ηµ = .05: 1, 1 + .95, 1 + .95 · 1.95.
        ({"momentum": 0.5}, "4.25", 5),
        ({"params": {"mu": 0.5}}, "2.8525", 3),
        # η is 0 at last, or nearly so, and the term with it.
        ({"params": {"mu": 0.5}, "lr_schedule": "cosine"}, "3", 3),
        ({"params": {"mu": 0.5}, "warmup_rounds": 1}, "3", 3),
    ],
)
def test_a_public_part_beyond_its_bound_is_refused_before_training(link, settings, size, enough):
    words = (
        f"{link}: the part `a` of fednova comes to {size}, beyond its bound of {{}}, and it is "
        f"public, so that it may not be moved to a bound. Give it one of its own: bounds: "
        f"{{{{a: {enough}}}}}."
    )
    with pytest.raises(MedflError) as error:
        nova(link, **settings)
    assert str(error.value) == words.format(1)
    with pytest.raises(MedflError) as error:
        nova(link, **settings, bounds={"a": 2.5})
    assert str(error.value) == words.format(2.5)
    nova(link, **settings, bounds={"a": enough})


def test_steps_that_only_the_split_tells():
    """40 samples in batches of 4 are 10 steps an epoch."""
    given = {"local_epochs": 3, "batch_size": 4}
    with pytest.raises(MedflError, match=r"only the split tells.* bounds: \{a: 1000\}"):
        nova(**given)
    with pytest.raises(MedflError, match=r"comes to 30, beyond its bound of 29,.* \{a: 30\}"):
        nova(**given, bounds={"a": 29})
    nova(**given, bounds={"a": 30})


class Undeclared(FedNova):
    """Does not say how large its public part gets."""

    @classmethod
    def public_parts(cls, config, steps):
        return {}


def test_a_public_part_that_nobody_told_of_stops_the_round():
    masks = {"ring_bits": 64, "weight_unit": 1e-5}
    chain = {"links": {"secure_aggregation": masks}}
    trainer = federation("test_secure_refusals:Undeclared", chain=chain, local_steps=3)
    with pytest.raises(MedflError, match=r"`a` is beyond ± 1, .*own bound: bounds: \{a: …\}"):
        trainer.train()


def test_a_grid_with_such_an_arm_is_refused():
    chain = {"links": {"secure_aggregation": {}}}
    content = {
        "arms_file": None,
        "arm_settings": {"nova": {"algorithm": "fednova", "chain": chain}},
        "datasets": ["phantom"],
        "partitions": ["iid"],
        "arms": ["nova"],
        "seeds": [0],
        "run": {"federated_learning": {"local_steps": 10}},
    }
    with pytest.raises(MedflError, match=r"phantom/iid/nova.*comes to 10, beyond its bound of 1"):
        load_grid(content, "grid.yaml")
    chain["links"]["secure_aggregation"] = {"bounds": {"a": 10}}
    load_grid(content, "grid.yaml")


def test_the_record_says_what_followed_from_the_settings():
    trainer = masked({"colluding": 1}, rounds=1, clients_per_round=3)
    trainer.train()
    assert run_metrics(trainer)["chain"]["secure_aggregation"] == {
        "protocol": "Bonawitz et al. 2017, against a malicious server",
        "threshold": 3,
        "shares": 3,
        "clients_per_round": 3,
        "colluding": 1,
        "value_bits": 18,
        "weight_bits": 12,
        "ring_bits": 32,
    }
