"""The file of a bench: written whole, under a name of its own, and read with clear errors."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from bench_records import HERE, figure, record

from benchmarks import results_file
from benchmarks.results_file import free_path, read_record, this_machine, versions
from medfl.errors import MedflError


def test_a_file_says_the_numbers_that_follow_and_is_read_back(tmp_path):
    measured = figure(ratios=(4.0, 1.0, 2.0, 3.0, 5.0), target=2.5, note="3 s / 1 s")
    written = record(measured, figure("GPU", (), note="no CUDA device"))
    path = tmp_path / "deep" / "file.json"
    written.write(path)
    one, skipped = json.loads(path.read_text())["parts"]["rounds"]["figures"]
    assert (one["median"], one["spread"], one["pairs"]) == (3.0, [2.0, 4.0], 5)
    assert (one["verdict"], one["plain"], one["note"]) == ("MISSED", [0.1, 0.1], "3 s / 1 s")
    assert (skipped["verdict"], skipped["pairs"], "median" in skipped) == ("skipped", 0, False)
    assert read_record(path) == written
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_few_pairs_spread_from_the_least_to_the_most():
    assert figure(ratios=(3.0, 1.0, 2.0)).spread == (1.0, 3.0)


def test_two_a_day_have_names_of_their_own(tmp_path):
    day = datetime(2026, 3, 1, 23, 59)
    names = []
    for _ in range(3):
        path = free_path(tmp_path, day)
        record(figure()).write(path)
        names.append(path.name)
    assert names == ["2026-03-01.json", "2026-03-01-2.json", "2026-03-01-3.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    record(figure()).write(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        record(figure(ratios=(float("nan"),))).write(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def damaged(change):
    content = json.loads(json.dumps(asdict_of(record(figure()))))
    change(content)
    return json.dumps(content)


def asdict_of(one):
    from dataclasses import asdict

    return asdict(one)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid JSON"),
        ('{"machine": {"processor"', "invalid JSON"),
        ("[]", "the file: input should be"),
        (damaged(lambda c: c.pop("machine")), "machine: field required"),
        (damaged(lambda c: c["machine"].update(cores="two")), "machine.cores: input should be"),
        (damaged(lambda c: c.update(format=9)), "its format is 9, this bench reads 1"),
        (damaged(lambda c: c.update(parts={})), "no part is in it"),
        (
            damaged(lambda c: c["parts"]["rounds"].update(started="today")),
            "Invalid isoformat string: 'today'",
        ),
        (
            damaged(lambda c: c["parts"]["rounds"].update(started="2026-03-01")),
            "parts.rounds.started has no offset from UTC",
        ),
        (
            damaged(lambda c: c["parts"]["rounds"]["figures"][0].update(ratios=["fast"])),
            "parts.rounds.figures.0.ratios.0: input should be",
        ),
        (
            damaged(lambda c: c["parts"]["rounds"]["figures"][0].update(ratios=[float("nan")])),
            "round ÷ loop: not all of",
        ),
        (
            damaged(lambda c: c["parts"]["rounds"]["figures"][0].update(plain=[0.0])),
            "the plain loop cannot take [0.0] s",
        ),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(MedflError) as caught:
        read_record(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no results file of a bench (")
    assert words in message
    assert message.endswith("): move it away, or name another with --against.")
    assert "\n" not in message


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(MedflError, match=r"none\.json cannot be read \(No such file"):
        read_record(tmp_path / "none.json")


def test_machines_are_alike_in_all_but_the_system():
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_gib >= 1
    assert {"python", "torch", "numpy"} <= set(versions())
    same = results_file.Machine("Some CPU", 2, 24, system="Linux 7")
    assert HERE.alike(same)
    for field, value in (("cores", 4), ("processor", "x"), ("memory_gib", 8), ("gpu", "H100")):
        assert not HERE.alike(results_file.Machine(**(vars(same) | {field: value})))
    assert HERE.words() == "Some CPU, 2 cores"
