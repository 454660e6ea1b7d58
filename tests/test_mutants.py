"""The tool that plants wrong edits: what it plants, and what it makes of the tests' answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from mutants import edits, outcome
from mutants.__main__ import sample
from mutants.judge import batches

ROOT = Path(__file__).parents[1]


def planted(source: str) -> set[str]:
    """The second line of a source, as the mutants of it have it."""
    found = edits.mutants("medfl/room/file.py", source.encode())
    return {one.apply(source.encode()).decode().splitlines()[1].strip() for one in found}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("return a < b", {"return (a <= b)"}),
        ("return a + b * 2", {"return (a - b * 2)", "return a + (b / 2)", "return a + b * 3"}),
        ("return not a", {"return a"}),
        ("return a and b", {"return (a or b)"}),
        ("return True", {"return False"}),
        ("return 'é' + a.min(b)", {"return ('é' - a.min(b))", "return 'é' + a.max(b)"}),
        ("return a['test']", {"return a['val']", "return a['validation']"}),
        ("return f(a, b)", {"return f(b, a)"}),
        ("return f(a, axis=1)", {"return f(a)", "return f(a, axis=2)"}),
        ("return sorted(a)", {"return list(a)"}),
        ("return a if b else c", {"return (c if b else a)"}),
        ("return a[1:]", {"return a[:]", "return a[2:]"}),
        ("a.clear()", {"pass"}),
        ("a += 1", {"a -= 1", "a += 2"}),
        ("raise ValueError(a + 1)", set()),
        ("'A docstring of the test.'", set()),
        ("print(a + 1)", set()),
        ("return f'{a + 1}'", set()),
        ("return zip(a, b, c, strict=True)", {"return zip(a, b, c, strict=False)"}),
    ],
)
def test_each_edit_is_planted_where_it_stands(line, wrong):
    assert planted(f"def f(a, b, c):\n    {line}\n") == wrong


def test_a_mutant_is_the_same_one_wherever_it_stands():
    source = "def f(a):\n    return a + 1\n"
    first = edits.mutants("medfl/x.py", source.encode())
    later = edits.mutants("medfl/x.py", f"import os\n\n{source}".encode())
    assert [one.key for one in first] == [one.key for one in later]
    assert [one.line for one in later] == [4, 4]
    # Equal edits of one line are told apart.
    twice = edits.mutants("medfl/x.py", b"def f(a):\n    return a[1][1]\n")
    assert len({one.key for one in twice}) == 2


def test_a_sample_is_decided_by_its_seed_and_grows(tmp_path):
    source = "def f(a):\n    return a + 1, a + 2, a + 3, a + 4\n"
    path = tmp_path / "medfl" / "x.py"
    path.parent.mkdir()
    path.write_text(source)
    found = edits.mutants("medfl/x.py", source.encode())
    five = sample(tmp_path, found, 5, seed=1)
    assert sample(tmp_path, found[::-1], 5, seed=1) == five
    assert sample(tmp_path, found, 3, seed=1) == five[:3]
    assert sample(tmp_path, found, 5, seed=2) != five


def test_the_table_counts_by_room_and_leaves_equivalent_ones_out_of_the_share():
    outcomes = ["killed", "killed", "pinned", "survived", "equivalent"]
    rows = [{"room": "chain", "outcome": name} for name in outcomes]
    rows.append({"room": "metrics", "outcome": "unreached"})
    lines = [line.split() for line in outcome.table(rows).splitlines()]
    assert " ".join(lines[0][1:]) == "killed pinned timeout survived unreached equivalent noticed"
    assert " ".join(lines[1]) == "chain 2 1 0 1 0 1 75.0%"
    assert " ".join(lines[2]) == "metrics 0 0 0 0 1 0 0.0%"
    assert " ".join(lines[3]) == "all 2 1 0 1 1 1 60.0%"


def test_what_was_noticed_stands_while_the_source_does_and_survivors_meet_new_tests():
    killed = {"outcome": "killed", "source_sha": "s", "tests_sha": "t"}
    survived = killed | {"outcome": "survived"}
    assert outcome.stands(killed, "s", "new")
    assert not outcome.stands(killed, "edited", "t")
    assert outcome.stands(survived, "s", "t")
    assert not outcome.stands(survived, "s", "new")
    assert not outcome.stands(None, "s", "t")


def test_tests_run_in_their_order_and_pinned_ones_alone():
    pinned = "tests/test_golden.py"
    seconds = {"a": 3.0, "b": 5.0, "c": 1.0, pinned: 0.0}
    reach = Mock(seconds=seconds.get)
    assert batches(["a", "b", "c", pinned], reach) == [["a", "b"], ["c"], [pinned]]


def test_every_mutant_that_is_called_equivalent_is_one():
    listed = outcome.equivalents()
    there = {
        outcome.what(one)
        for file in {entry[0] for entry in listed}
        for one in edits.mutants(file, (ROOT / file).read_bytes())
    }
    assert set(listed) <= there


TOY = '''"""A toy."""


def larger(a, b):
    return a if a > b else b


def unseen(a):
    return a - 1


def until(a):
    while a > 0:
        a -= 1
    return a
'''
TESTS = """
from medfl.room.toy import larger, until

def test_larger():
    assert larger(1, 2) == 2

def test_until():
    assert until(1) == 0

def test_that_fails_without_a_mutant():
    assert larger(2, 1) == 1
"""


@pytest.mark.slow
def test_a_toy_is_judged_in_a_copy_and_the_checkout_is_left_alone(tmp_path):
    files = {
        "medfl/__init__.py": "",
        "medfl/room/__init__.py": "",
        "medfl/room/toy.py": TOY,
        "tests/room/test_toy.py": TESTS,
        ".gitignore": ".mutants/\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    code = (
        "import sys, pathlib; from mutants import __main__ as tool, forked; "
        f"tool.ROOT = pathlib.Path({str(tmp_path)!r}); forked.HEAVY = 'pytest coverage'; "
        "forked.GRACE = 4; sys.argv[1:] = ['room']; sys.exit(tool.main())"
    )
    command = [sys.executable, "-c", code]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert first.returncode == 1, first.stderr
    found = outcome.read(tmp_path / ".mutants" / "outcome.csv").values()
    told = {(one["function"], one["after"]): one["outcome"] for one in found}
    assert told == {
        ("larger", "return a if (a >= b) else b"): "survived",  # equal numbers: nobody could notice
        ("larger", "return (b if a > b else a)"): "killed",
        ("unseen", "return (a + 1)"): "unreached",
        ("unseen", "return a - 2"): "unreached",
        ("until", "while (a >= 0):"): "killed",
        ("until", "while a > 1:"): "killed",
        ("until", "a += 1"): "timeout",
        ("until", "a -= 2"): "killed",
    }
    assert "1 fail here and are left out" in first.stdout
    assert (tmp_path / "medfl/room/toy.py").read_text() == TOY
    assert (tmp_path / ".mutants/tree/medfl/room/toy.py").read_text() == TOY
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # Everything stands: no mutant is judged again.
    assert again.stdout.lstrip() == first.stdout.split("\n\n", 1)[1]
