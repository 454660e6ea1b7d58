"""Our accountants, which are Opacus', against dp-accounting, which is written by others.

`make accountant` makes its environment and runs this; MEDFL_DP_ACCOUNTING names another Python.
"""

from __future__ import annotations

import json
import os
import subprocess
from itertools import product
from pathlib import Path

import pytest

from medfl.privacy.accounting import epsilon_of, noise_for

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("second_accountant.py")
# Noise, sampling rate, steps and δ: a study's own, small hospitals, large ones, and everybody.
RELEASES = [
    (1.5, 0.04, 2250, 1e-5),
    (1.12, 256 / 60_000, 14_062, 1e-5),
    (0.6, 256 / 60_000, 7031, 1e-5),
    (1.0, 0.1, 100, 1e-5),
    (4.0, 0.5, 300, 1e-6),
    (2.0, 0.32, 500, 1e-3),
    (0.8, 0.01, 1, 1e-5),
    (4.0, 1.0, 50, 1e-5),
]
BUDGETS = list(product((1.0, 3.0, 8.0), (0.04, 0.32)))
STEPS, DELTA = 100, 1e-5
TIGHT = (3.0, 0.04)  # of which the noise is sought by privacy random variables, too


@pytest.fixture(scope="module")
def tight_noise():
    return noise_for(*TIGHT, STEPS, DELTA, "prv")


@pytest.fixture(scope="module")
def answers(tight_noise):
    """What the other accountant says of the releases, and of the noise for the budgets."""
    python = Path(os.environ.get("MEDFL_DP_ACCOUNTING", ROOT / ".venv-accountant/bin/python"))
    if not python.exists():
        pytest.skip(f"no second accountant: {python} is missing (make accountant)")
    releases = [*RELEASES, (tight_noise, TIGHT[1], STEPS, DELTA)]
    keys = ("noise", "rate", "steps", "delta")
    asked = [dict(zip(keys, release, strict=True)) for release in releases]
    asked += [{"target": t, "rate": q, "steps": STEPS, "delta": DELTA} for t, q in BUDGETS]
    done = subprocess.run(
        [python, SCRIPT], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([*releases, *BUDGETS], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("release", RELEASES, ids=str)
def test_epsilon(release, answers):
    """Rényi divergences differ by the orders that are tried; both others bound the same ε."""
    said, everyone = answers[release], release[1] == 1.0
    ours = epsilon_of(*release, "rdp")
    assert ours == pytest.approx(said["pld" if everyone else "rdp"], rel=0.01)
    # Opacus promises to be within .01 of the true ε, and adds that on top.
    assert epsilon_of(*release, "prv") == pytest.approx(said["pld"], rel=1e-4, abs=0.015)


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
def test_noise_for_a_budget_as_another_finds_it(budget, answers):
    ours = noise_for(*budget, STEPS, DELTA, "rdp")
    assert ours == pytest.approx(answers[budget]["noise"], rel=0.01)


def test_tight_noise_keeps_to_the_budget_of_another(tight_noise, answers):
    """To within .5 %: Opacus' ε lies up to .015 above the true one."""
    target, rate = TIGHT
    spent = answers[tight_noise, rate, STEPS, DELTA]["pld"]
    assert target - 0.015 < spent < target * (1 + 1e-4)
