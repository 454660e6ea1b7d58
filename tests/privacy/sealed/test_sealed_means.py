"""What the two links that seal messages have in common: the sum is that of what was rounded."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from chains import LINKS, build, composing
from federations import Normed
from links import watch


@pytest.mark.parametrize(
    ("link", "units", "tolerance"),
    [
        ("secure_aggregation", 1e5, 1e-13),
        pytest.param("ckks", 1e4, 1e-12, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", composing("ckks"))
def test_the_mean_is_that_of_what_was_rounded(name, link, units, tolerance):
    """Σ w q / Σ w of the parts as they were rounded, worked out by numpy from each client's own.

    ``units`` are the whole numbers in a weight of one.
    """
    trainer = build(name, LINKS[link], model=Normed, sizes=(8, 16, 12, 6), rounds=2)
    sent, received = watch(trainer), []
    original = trainer.server.step
    trainer.server.step = lambda total: (received.append(deepcopy(total)), original(total))
    trainer.train()
    assert len(received) == 2
    for number, total in enumerate(received, 1):
        messages = sent[number]
        assert len(messages) == 4
        for part, found in total.items():
            weights = [m.parts[part].weight for m in messages.values()]
            rounded = [round(w * units) / units for w in weights]
            values = np.array([m.parts[part].value.numpy() for m in messages.values()])
            expected = np.average(values, axis=0, weights=rounded)
            assert np.abs(found.mean.numpy() - expected).max(initial=0) < tolerance
            assert found.weight == pytest.approx(sum(weights), rel=1e-3)
