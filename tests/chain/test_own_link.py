"""What a link of one's own gives in place of messages: held against what it was given."""

from __future__ import annotations

import pytest
from federations import federation

from medfl.errors import MedflError

LINK = """
from dataclasses import replace
from medfl.chain import Link

def parts(message, **changes):
    made = lambda p: replace(p, **{k: change(p) for k, change in changes.items()})
    return replace(message, parts={n: made(p) for n, p in message.parts.items()})

class Mine(Link):
    stage = "attack"

    def HOOK:
        return GIVEN
"""
MESSAGE, TOGETHER = "message(self, client, message)", "together(self, number, messages)"
CLOSE = "close(self, number, total, answered)"
BATCHES = "batches(self, client, rows, purpose)"
VALUE = "parts(message, value=lambda p: %s)"
WRONG = {
    "short": (MESSAGE, VALUE % "p.value[:1]", r"part `parameters` is of shape \(1,\), but needed"),
    "whole": (MESSAGE, VALUE % "p.value.long()", "`parameters` must be a vector .* of real"),
    "array": (MESSAGE, VALUE % "p.value.numpy()", "`parameters` must be a vector .* a tensor"),
    "nothing": (MESSAGE, VALUE % "None", "`parameters` must be a vector"),
    "square": (MESSAGE, VALUE % "p.value[None]", "`parameters` must be a vector"),
    "no parts": (MESSAGE, "replace(message, parts={})", "a message without `parameters`"),
    "None": (MESSAGE, "replace(message, parts=None)", "as its parts, gave NoneType, but needed"),
    "texts": (
        MESSAGE,
        "replace(message, parts=dict.fromkeys(message.parts, 'x'))",
        "gave str, but needed",
    ),
    "emptied": (MESSAGE, "message.parts.clear() or message", "a message without `parameters`"),
    "another's": (MESSAGE, "replace(message, client=7)", "gave a message of client 7 for 0's"),
    "NaN weight": (MESSAGE, "parts(message, weight=lambda p: float('nan'))", "has the weight nan"),
    "below 0": (MESSAGE, "parts(message, weight=lambda p: -p.weight)", "must be a number, 0 or"),
    "text weight": (MESSAGE, "parts(message, weight=lambda p: 'x')", "has the weight x: it must"),
    "bits": (MESSAGE, "parts(message, bits=lambda p: 0.5)", "has `bits` of 0.5: give a whole"),
    "base": (
        MESSAGE,
        "parts(message, base=lambda p: p.value[:1])",
        "has another base than what the server sent: keep that",
    ),
    "loss": (MESSAGE, "replace(message, loss='x')", "as `loss`, gave str, but needed is a number"),
    "notes": (MESSAGE, "replace(message, notes={'n': 'x'})", "as `n`, gave str, but needed is a n"),
    "weight": (
        MESSAGE,
        "replace(message, weight=-1.0)",
        "a message of weight -1.0: give 0",
    ),
    "twice": (TOGETHER, "messages + messages", "messages of the clients .*: give one of each"),
    "unknown": (
        TOGETHER,
        "[replace(m, client=9) for m in messages]",
        r"clients \[9, 9, 9\]",
    ),
    "all short": (
        TOGETHER,
        "[parts(m, value=lambda p: p.value[:1]) for m in messages]",
        r"`together` of the link .* is of shape \(1,\), but needed",
    ),
    "no batches": (
        BATCHES,
        "None",
        "`batches` of the link .* gave NoneType, but needed is",
    ),
    "no rows": (
        BATCHES,
        "[[0, 1]]",
        "as one of its batches, gave list, but need",
    ),
    "parts of rows": (
        BATCHES,
        "(r.float() for r in rows)",
        "gave a batch of torch.float32",
    ),
    "others'": (
        BATCHES,
        "(r * 0 - 1 for r in rows)",
        "rows that the client does not hold",
    ),
    "total": (
        CLOSE,
        "{n: replace(t, mean=t.mean[:1]) for n, t in total.items()}",
        r"`close` of the link .* in `parameters`, is torch.float64 of shape \(1,\), but needed",
    ),
    "other total": (CLOSE, "{'q': total['parameters']}", "gave a total without `parameters`"),
}


@pytest.fixture
def trained(own_module):
    def train(hook, given):
        own_module("my_links", LINK.replace("HOOK", hook).replace("GIVEN", given))
        trainer = federation(rounds=1, chain={"links": {"my_links:Mine": {}}})
        trainer.train()
        return trainer

    return train


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_combined_is_refused(trained, case):
    hook, given, message = WRONG[case]
    with pytest.raises(MedflError, match=message):
        trained(hook, given)


@pytest.mark.parametrize(
    ("hook", "given"),
    [
        (MESSAGE, "message if message.client else None"),  # one client drops out
        (MESSAGE, VALUE % "-p.value"),
        (TOGETHER, "messages[:1]"),
        (CLOSE, "total"),
        (BATCHES, "(r[:1] for r in rows)"),
    ],
)
def test_what_an_attack_may_do_is_not_refused(trained, hook, given):
    assert trained(hook, given).status == "completed"
