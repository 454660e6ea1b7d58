"""How far a grid is, read from folders that are made by hand."""

from __future__ import annotations

import json
import os
import time

import pytest
import yaml

from medfl import cli
from medfl.federated.fingerprint import fingerprint
from medfl.federated.log import in_time, progress_line
from medfl.files import locked, own_hash, take_lock
from medfl.grid import Cell, read_grid
from medfl.pipeline.board import Board
from medfl.pipeline.planned import planned_runs
from medfl.pipeline.status import summary, table
from medfl.pipeline.time_left import cost, seconds_left
from medfl.stopping import Stopped

GRID = {
    "arms_file": None,
    "arm_settings": {"fedavg": {"algorithm": "fedavg"}, "prox": {"algorithm": "fedprox"}},
    "datasets": ["phantom"],
    "partitions": ["iid"],
    "arms": ["fedavg", "prox"],
    "seeds": [5, 3],
    "output_dir": "out",
    "run": {"federated_learning": {"rounds": 10}},
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(GRID))
    return Place(tmp_path, read_grid("grid.yaml"))


class Place:
    """A folder of results, in which runs are put as they would lie there."""

    def __init__(self, root, grid):
        self.root, self.grid = root, grid
        self.board = Board(planned_runs(grid, root / "out"), root / "out")

    def cell(self, arm, seed):
        return Cell("phantom", "iid", arm, seed)

    def folder(self, arm, seed):
        folder = self.cell(arm, seed).folder(self.root / "out")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(self, arm, seed, seconds, sha256=None, **changes):
        sha256 = sha256 or fingerprint(self.grid.run_config(self.cell(arm, seed)))
        record = {
            "status": "completed",
            "primary": "balanced_accuracy",
            "rounds": 10,
            "last": {"val": {"balanced_accuracy": 0.625}},
            "timing": {"seconds": seconds},
            "provenance": {"config_sha256": sha256},
        }
        (self.folder(arm, seed) / "metrics.json").write_text(json.dumps(record | changes))

    def train(self, arm, seed, *rows):
        text = "\n".join(["round,seconds,val_balanced_accuracy", *rows])
        (self.folder(arm, seed) / "rounds.csv").write_text(text + "\n")

    def log(self, arm, seed, text, age=0.0):
        path = self.root / "out/logs/train" / f"{self.cell(arm, seed)}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        then = time.time() - age
        os.utime(path, (then, then))

    def states(self):
        return {one.planned.name.removeprefix("phantom/iid/"): one for one in self.board.look()}


def test_nothing_has_begun(place):
    states = place.board.look()
    names = [one.planned.name for one in states]
    order = ["fedavg/seed5", "prox/seed5", "fedavg/seed3", "prox/seed3"]  # the first seed first
    assert names == [f"phantom/iid/{name}" for name in order]
    assert {one.state for one in states} == {"waiting"}
    assert summary(states) == "0 of 4 runs done"
    assert table(states) == []
    assert cost(states, 2) == (
        "4 runs are to be trained; how long they take is not known before the first rounds are "
        "trained"
    )


def test_done_running_failed_and_waiting(place):
    place.finish("fedavg", 5, 40.0)
    place.train("prox", 5, "0,0.5,0.2", "1,6.0,", "2,12.0,0.31", "3,18.0,")
    _lock = take_lock(place.folder("prox", 5))
    place.log("fedavg", 3, "round 1\nmedfl: error: no such network.\n")
    states = place.states()
    assert {name: one.state for name, one in states.items()} == {
        "fedavg/seed5": "done",
        "prox/seed5": "running",
        "fedavg/seed3": "failed",
        "prox/seed3": "waiting",
    }
    running = states["prox/seed5"]
    assert (running.round, running.rounds, running.seconds, running.value) == (3, 10, 18.0, 0.31)
    # prox takes 60 s by its rounds, of which 42 are left; fedavg 40 s.
    assert seconds_left(list(states.values())) == (42 + 40 + 60, 42 + 40 + 60)
    assert summary(list(states.values())) == (
        "1 of 4 runs done, 1 running, 1 failed, phantom/iid/prox/seed5 in round 3 of 10, "
        "about 2 min left"
    )
    assert table(list(states.values())) == [
        "  phantom/iid/fedavg/seed5  done       10/10   val 0.625     40.0 s",
        "  phantom/iid/prox/seed5    running     3/10   val 0.310     18.0 s",
        "  phantom/iid/fedavg/seed3  failed      0/10                  0.0 s"
        "  medfl: error: no such network.",
    ]
    assert cost(list(states.values()), 2) == (
        "3 runs are to be trained, about 0.039 core-hours as runs before them took "
        "(71 s on 2 cores)"
    )


def test_as_many_side_by_side_as_now(place):
    place.finish("fedavg", 5, 30.0)
    for arm, seed in (("prox", 5), ("fedavg", 3)):
        place.train(arm, seed, "5,10.0,")
    locks = [take_lock(place.folder(arm, seed)) for arm, seed in (("prox", 5), ("fedavg", 3))]
    # Each of the two takes 10 s more; then prox/seed3 as long as its kind, 20 s.
    assert seconds_left(place.board.look()) == (40, 30)
    assert None not in locks


def test_a_record_of_other_settings_is_not_done(place):
    place.finish("fedavg", 5, 40.0, sha256="0" * 64)
    place.finish("prox", 5, 9.0, status="diverged", reason="round 4: not finite", rounds=3)
    states = place.states()
    assert states["fedavg/seed5"].state == "waiting"
    assert states["prox/seed5"].state == "done"
    assert states["prox/seed5"].said == "diverged: round 4: not finite"
    place.finish("fedavg", 5, 40.0)  # what was read before is not taken for what is there now
    assert place.states()["fedavg/seed5"].state == "done"


def test_what_a_start_that_is_at_work_will_make_again_waits(place):
    place.log("fedavg", 5, "medfl: error: busy.\n", age=100)
    place.log("prox", 5, "medfl: interrupted; the same command goes on after round 3.\n")
    place.log("fedavg", 3, "round 2\n", age=100)  # killed: it could not say so
    assert place.states()["fedavg/seed5"].state == "failed"
    assert place.states()["prox/seed5"].state == "waiting"
    assert place.states()["prox/seed5"].said == "the same command goes on after round 3."
    assert place.states()["fedavg/seed3"].said == "it ended after: round 2"
    lock = place.root / "out/.medfl.lock"
    lock.touch()
    _held = take_lock(lock)
    place.log("prox", 3, "")  # its job has just begun, and has not locked its folder yet
    states = place.states()
    assert states["fedavg/seed5"].state == "waiting"
    assert states["prox/seed3"].state == "running"


def test_the_command_finds_the_grid_in_the_folder(place, capsys):
    place.finish("fedavg", 5, 40.0)
    assert cli.main(["status", "out"]) == 2
    assert "out is no folder that a grid was started for" in capsys.readouterr().err
    (place.root / "out/benchmark.yaml").write_text(yaml.safe_dump(GRID))
    assert cli.main(["status", "out"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "out: 1 of 4 runs done, about 2 min left on one core; no run is at work"
    assert second.startswith("  phantom/iid/fedavg/seed5  done")
    # What the last start has noted comes first: `--config` may have changed it.
    (place.root / "noted.yaml").write_text(yaml.safe_dump(GRID | {"seeds": [5]}))
    (place.root / "out/.medfl.lock").write_text(
        json.dumps({"grid": str(place.root / "noted.yaml")})
    )
    assert cli.main(["status", "out"]) == 0
    assert "1 of 2 runs done" in capsys.readouterr().out
    assert cli.main(["status", "--grid", "grid.yaml"]) == 0
    assert "1 of 4 runs done" in capsys.readouterr().out


def test_a_run_that_was_killed_is_shown_where_it_goes_on(place):
    """Its checkpoint says that it goes on; without one the rounds that it had are lost."""
    for arm in ("fedavg", "prox"):
        place.train(arm, 5, "1,3.0,0.4", "2,6.0,0.45")
        place.log(arm, 5, "round 2\n", age=100)
    (place.folder("fedavg", 5) / "checkpoint.pt").touch()
    states = place.states()
    shown = {name: (one.state, one.round, one.seconds, one.value) for name, one in states.items()}
    assert shown["fedavg/seed5"] == ("failed", 2, 6.0, 0.45)
    assert shown["prox/seed5"] == ("failed", 0, 0.0, None)
    # Ten rounds take 30 s: three runs of them, and eight rounds of the one that goes on.
    assert seconds_left(list(states.values()))[0] == 3 * 30 + 24


def test_short_rounds_of_some_arms_stand_for_those_that_cannot_be_tried(place):
    """As where the data of another dataset are not prepared, or a split cannot be made."""
    states = place.board.look()
    probed = {("phantom", "fedavg"): 1800.0}
    words = (
        "4 runs are to be trained, about 2 core-hours by short rounds of some arms, taken for all"
    )
    assert cost(states, 1, probed) == words
    words = "4 runs are to be trained, about 4 core-hours by short rounds of each arm"
    assert cost(states, 1, probed | {("phantom", "prox"): 5400.0}) == words
    # Another dataset's: half of them stands between the two.
    other = {("other", "fedavg"): 1800.0, ("other", "prox"): 5400.0}
    assert cost(states, 1, other).startswith("4 runs are to be trained, about 4 core-hours by")


def test_watching_ends_by_itself_once_all_runs_have_ended(place, capsys, monkeypatch):
    """Looks twice at half of the runs done, which is said once, and at all that have ended."""
    steps = [
        lambda: None,
        lambda: (place.finish("fedavg", 3, 1), place.log("prox", 3, "medfl: error: no.\n", 60)),
        lambda: pytest.fail("three runs are done and one has failed: nothing is left to watch"),
    ]
    monkeypatch.setattr("time.sleep", lambda seconds: steps.pop(0)())
    place.finish("fedavg", 5, 1)
    place.finish("prox", 5, 1)
    assert cli.main(["status", "out", "--grid", "grid.yaml", "--watch"]) == 0
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if line.startswith("out: ")] == [
        "out: 2 of 4 runs done, about 2 s left on one core; no run is at work",
        "out: 3 of 4 runs done, 1 failed, about 1 s left on one core",
    ]
    assert said.err == ""


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), Stopped(2)])
def test_ctrl_c_ends_watching_without_a_word(place, capsys, monkeypatch, signal):
    def interrupted(seconds):
        raise signal

    monkeypatch.setattr("time.sleep", interrupted)
    assert cli.main(["status", "out", "--grid", "grid.yaml", "--watch"]) == 0
    assert capsys.readouterr().err == ""


def test_other_signals_are_told_as_ever(place, capsys, monkeypatch):
    def ended(seconds):
        raise Stopped(15)

    monkeypatch.setattr("time.sleep", ended)
    assert cli.main(["status", "out", "--grid", "grid.yaml", "--watch"]) == 128 + 15
    assert "interrupted" in capsys.readouterr().err


def test_a_record_that_was_edited_has_failed(place):
    place.finish("prox", 3, 1)
    path = place.folder("prox", 3) / "metrics.json"
    record = json.loads(path.read_text())
    record["record_sha256"] = own_hash(record)
    path.write_text(json.dumps(record))
    assert place.states()["prox/seed3"].state == "done"
    path.write_text(path.read_text().replace("0.625", "0.925"))
    found = place.states()["prox/seed3"]
    assert (found.state, found.value) == ("failed", None)
    assert found.said.startswith("metrics.json is damaged or was edited: `medfl verify` says")


@pytest.mark.parametrize(
    "wrong",
    [
        {"provenance": "x"},
        {"last": [1]},
        {"timing": {"seconds": "long"}},
        {"rounds": [3]},
        {"last": {"val": {"balanced_accuracy": "good"}}},
    ],
)
def test_a_damaged_record_is_no_finished_run(place, wrong):
    place.finish("prox", 3, 1, **wrong)
    (place.folder("fedavg", 3) / "rounds.csv").write_text("round,seconds\nmany,1\n")
    assert {one.state for one in place.states().values()} == {"waiting"}


def test_who_looks_does_not_keep_a_run_from_its_folder(tmp_path, monkeypatch):
    """`status` holds the lock for a moment; a run that begins just then waits for it."""
    monkeypatch.setattr("medfl.files.locking.LOOKS", 500)  # a busy machine's moments are long
    looking = take_lock(tmp_path, shared=True)
    code = os.fork()
    if not code:  # the child lets go a little later, as one who looks does
        time.sleep(0.05)
        os._exit(0)
    os.close(looking)
    with locked(tmp_path / ".", "busy"):
        pass
    os.waitpid(code, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (89, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "1.5 h"),
        (3e5, "3.5 days"),
    ],
)
def test_times_in_words(seconds, words):
    assert in_time(seconds) == words


def test_a_line_of_the_log_says_how_long_it_still_takes():
    line = progress_line({"round": 4, "seconds": 20.0}, 10, "accuracy")
    assert line.endswith("20.0 s, about 30 s left")
    assert progress_line({"round": 10, "seconds": 20.0}, 10, "accuracy").endswith("20.0 s")
    assert progress_line({"round": 0, "seconds": 1.0}, 10, "accuracy").endswith("1.0 s")
