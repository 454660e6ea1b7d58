"""Attacks that cannot be what they say: one sentence before anything is trained."""

from __future__ import annotations

import pytest
from federations import federation

from medfl.errors import MedflError

SIX = (8, 16, 12, 6, 10, 9)
MASKS = {"secure_aggregation": {"bound": 1.0}}


@pytest.mark.parametrize(
    ("links", "words"),
    [
        ({"backdoor": {"target": 3}}, "the target 3 is no class of test; known: class0, class1"),
        ({"backdoor": {"target": "class"}}, "is no class of test; did you mean `class"),
        ({"backdoor": {"target": -1}}, "the target -1 is no class"),
        ({"backdoor": {"size": 7}}, "a square of 7 pixels at row -2, column -2 lies outside"),
        ({"backdoor": {"row": 4}}, "at row 4, column 2 lies outside a picture of 6 × 6 pixels"),
        ({"backdoor": {"share": 1.1}}, "less than or equal to 1"),
        ({"sign_flip": {}, "label_flip": {}}, "holds two attacks, label_flip and sign_flip"),
        (
            {"alie": {}},
            "its z by n and f is not positive at n = 6 clients a round of which f = 1",
        ),
        ({"ipm": {}, **MASKS}, "knows what the others send, and secure_aggregation hides that"),
        ({"ipm": {"scale": -1}}, "greater than 0"),
        ({"min_max": {"direction": "std"}}, "'deviation', 'unit' or 'sign'"),
    ],
)
def test_mistakes(links, words):
    with pytest.raises((MedflError, ValueError)) as error:
        federation(chain={"links": links, "attackers": 1}, sizes=SIX)
    assert words in str(error.value)


def test_a_rule_over_masked_updates_is_refused():
    with pytest.raises(MedflError, match="krum needs each client's"):
        federation(chain={"links": MASKS, "rule": "krum"}, sizes=SIX)


def test_an_attacker_may_be_masked():
    """Masks hide what a hostile client sends, and the sum takes it."""
    chain = {"links": {"sign_flip": {}, **MASKS}, "attackers": 1}
    trainer = federation(chain=chain, sizes=SIX)
    trainer.train()
    assert trainer.status == "completed"
