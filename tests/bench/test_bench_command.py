"""``python -m benchmarks``, with parts whose figures are known."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import types

import pytest

from benchmarks import __main__ as bench
from benchmarks import parts, yardstick
from benchmarks.parts import Entry
from benchmarks.timing import Cost, Result


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Runs the command on made-up parts, in a folder of its own."""
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    monkeypatch.setattr(yardstick, "plain_epoch", lambda: lambda: Cost(0.1, 0.1))
    monkeypatch.chdir(tmp_path)
    for name in list(parts.PARTS):
        monkeypatch.delitem(parts.PARTS, name)

    def run(made, *words, **settings):
        for name, part in made.items():
            module = types.ModuleType(f"benchmarks.made_{name}")
            module.run = part
            monkeypatch.setitem(sys.modules, module.__name__, module)
            entry = Entry(f"made_{name}", 3, **settings)
            monkeypatch.setitem(parts.PARTS, name, entry)
        return bench.main(["--only", ",".join(made), *words])

    return run


def figures(path, part):
    return json.loads(path.read_text())["parts"][part]["figures"]


def steady(value, **settings):
    return lambda pairs: [Result("one", [value] * pairs, **settings)]


def test_a_second_bench_of_a_day_names_what_got_slower(measure, tmp_path, capsys):
    assert measure({"a": steady(1.0)}) == 0
    assert "Nothing to compare with" in capsys.readouterr().out
    assert measure({"a": steady(1.5)}) == 0
    out = capsys.readouterr().out
    assert "slower: one: 1.5 (1.5 to 1.5, 3 pairs), was 1 (1 to 1, 3 pairs)" in out
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert measure({"a": steady(1.5)}, "--strict") == 0  # as the last one
    assert measure({"a": steady(2.0)}, "--strict") == 1


def test_pairs_are_the_parts_own_or_those_asked_for(measure, tmp_path):
    measure({"a": steady(1.0)}, "--output", "a.json")
    measure({"a": steady(1.0)}, "--output", "b.json", "--pairs", "7")
    assert len(figures(tmp_path / "a.json", "a")[0]["ratios"]) == 3
    assert len(figures(tmp_path / "b.json", "a")[0]["ratios"]) == 7


def test_a_missed_target_fails_under_strict_alone(measure, capsys):
    assert measure({"a": steady(2.0, target=1.5)}) == 0
    assert "1 target missed: one" in capsys.readouterr().out
    assert measure({"a": steady(2.0, target=1.5)}, "--strict") == 1


def test_a_part_that_breaks_off_keeps_its_figures_and_the_others(measure, tmp_path, capsys):
    def breaks(pairs):
        yield Result("before", [1.0])
        raise RuntimeError("python -m x failed:\nno disk left")

    assert measure({"a": breaks, "b": steady(1.0)}, "--output", "o.json") == 1
    content = json.loads((tmp_path / "o.json").read_text())
    assert content["parts"]["a"]["failed"] == "RuntimeError: no disk left"
    assert [one["name"] for one in content["parts"]["a"]["figures"]] == ["before"]
    assert [one["name"] for one in content["parts"]["b"]["figures"]] == ["one"]
    assert "a broke off: RuntimeError: no disk left" in capsys.readouterr().err


def test_a_stop_keeps_what_was_measured(measure, tmp_path, capsys):
    def stopped(pairs):
        yield Result("before", [1.0])
        raise KeyboardInterrupt

    assert measure({"a": stopped, "b": steady(1.0)}, "--output", "o.json") == 130
    content = json.loads((tmp_path / "o.json").read_text())
    assert list(content["parts"]) == ["a"]
    assert "stopped; o.json holds what was measured" in capsys.readouterr().err


def test_a_part_that_needs_more_cores_is_skipped_with_the_reason(measure, capsys):
    assert measure({"a": steady(1.0)}, cores=10_000) == 0
    assert "skipped: needs 10000 cores for itself" in capsys.readouterr().out


def test_a_package_that_is_missing_skips_its_part(measure, monkeypatch, capsys):
    def load(self):
        raise ModuleNotFoundError("No module named 'psutil'", name="psutil")

    monkeypatch.setattr(Entry, "load", load)
    assert measure({"a": steady(1.0)}) == 0
    assert "skipped: needs the Python package psutil, which is not" in capsys.readouterr().out


def test_each_pair_of_a_figure_may_come_by_itself(measure, tmp_path):
    def again(pairs):
        for number in range(pairs):
            yield Result("warm", [1.0 + number])
            yield Result("cold", [9.0])

    measure({"a": again}, "--output", "o.json")
    found = {one["name"]: one["ratios"] for one in figures(tmp_path / "o.json", "a")}
    assert found == {"warm": [1.0, 2.0, 3.0], "cold": [9.0, 9.0, 9.0]}


def test_every_figure_has_the_plain_loop_before_and_after_it(measure, monkeypatch, tmp_path):
    times = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    monkeypatch.setattr(yardstick, "plain_epoch", lambda: lambda: Cost(t := next(times), 1.5 * t))
    measure({"a": lambda pairs: [Result("x", [1.0]), Result("y", [1.0])]}, "--output", "o.json")
    x, y = figures(tmp_path / "o.json", "a")
    assert (x["plain"], y["plain"]) == ([1.0, 2.0], [3.0, 4.0])
    assert x["waited"] == pytest.approx(1.5)


def test_parts_are_added_to_a_file_of_this_machine(measure, tmp_path, capsys):
    measure({"a": steady(1.0)}, "--output", "o.json")
    assert measure({"b": steady(2.0)}, "--add-to", "o.json") == 0
    content = json.loads((tmp_path / "o.json").read_text())
    assert list(content["parts"]) == ["a", "b"]
    content["machine"]["processor"] = "Another"
    (tmp_path / "o.json").write_text(json.dumps(content))
    assert measure({"b": steady(2.0)}, "--add-to", "o.json") == 2
    assert "o.json was measured on Another" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "a,none"], "unknown part none; there are a"),
        (["--only", "a,a"], "names a part twice"),
        (["--pairs", "0"], "--pairs is 0; it is at least 1"),
        (["--output", "x.json", "--add-to", "y.json"], "exclude each other"),
    ],
)
def test_bad_options_are_refused(measure, capsys, words, message):
    measure({"a": steady(1.0)})
    with pytest.raises(SystemExit) as caught:
        bench.main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_bad_files_are_told_before_anything_is_measured(measure, tmp_path, capsys):
    def never(pairs):
        raise AssertionError

    (tmp_path / "broken.json").write_text("{")
    assert measure({"a": never}, "--against", "broken.json") == 2
    assert measure({"a": never}, "--against", "none.json") == 2
    assert measure({"a": never}, "--output", "broken.json") == 2
    assert measure({"a": never}, "--add-to", "broken.json") == 2
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith(("error: ", "warning: "))


def test_the_list_names_every_part_and_measures_nothing(capsys):
    assert bench.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(parts.PARTS)
    assert "rounds        4 pairs  benchmarks/rounds.py" in lines


def test_a_bench_that_is_ended_keeps_what_was_measured(measure, tmp_path):
    def ended(pairs):
        yield Result("before", [1.0])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    before = signal.getsignal(signal.SIGTERM)
    try:
        assert measure({"a": ended}, "--output", "o.json") == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    (one,) = figures(tmp_path / "o.json", "a")
    assert one["name"] == "before"
