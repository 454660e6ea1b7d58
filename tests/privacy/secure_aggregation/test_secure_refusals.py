"""What masks do not go with is refused before training, and what followed from settings is said."""

from __future__ import annotations

import pytest
from chains import build
from federations import Linear

from medfl.chain import Link
from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics

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


def test_fednova_needs_fractions_of_weights_and_a_bound_for_its_public_part():
    def nova(**params):
        chain = {"links": {"secure_aggregation": params}}
        return build("fednova", chain, sizes=(40, 16, 12), local_epochs=3)

    with pytest.raises(MedflError, match=r"below half a weight_unit|rounded by more than"):
        nova().train()
    fractions = {"ring_bits": 64, "weight_unit": 1e-5}
    with pytest.raises(MedflError, match=r"Set its own bound: bounds: \{a: …\}"):
        nova(**fractions).train()
    trainer = nova(**fractions, bounds={"a": 1000.0})
    trainer.train()
    assert trainer.status == "completed"


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
