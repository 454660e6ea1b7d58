"""Files are decoded in processes beside the one that makes the store."""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_stores import INFO, N, content, decode, picture, raw_of

from medfl.errors import MedflError
from medfl.files import processes
from medfl.files.memory import MemoryEndedError
from medfl.store import Sample
from medfl.store.build import build_store
from medfl.store.raw import RawData


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Whatever threads other tests have left: a crash must not be that of all tests."""
    monkeypatch.setattr(processes, "can_fork", lambda: True)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_any_number_of_processes_makes_the_same_store(tmp_path, raw, number, monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: number)
    monkeypatch.setattr(processes, "MANY", 1)

    def noting(path):
        (tmp_path / str(os.getpid())).touch()
        time.sleep(0.03)
        return decode(path)

    (raw / "007.png").write_bytes(b"no picture")
    store = build_store(tmp_path / "toy", INFO, raw_of(raw, noting), "key", strict=False)
    assert len([one for one in tmp_path.iterdir() if one.name.isdecimal()]) == number
    kept = [k for k in range(N) if k != 7]
    np.testing.assert_array_equal(store.images[:, 0], [picture(k) for k in kept])
    monkeypatch.setattr(processes, "can_fork", lambda: False)
    threads = build_store(tmp_path / "threads", INFO, raw_of(raw), "key", strict=False)
    assert content(store.path) == content(threads.path)
    first, second = (
        json.loads((one.path / "prepare.json").read_text()) for one in (store, threads)
    )
    assert first["excluded_files"] == second["excluded_files"]


def crashing(path: Path) -> np.ndarray:
    if path.name == "013.png":
        ctypes.string_at(0)
    return decode(path)


def test_a_file_that_crashes_its_decoder_is_listed_and_the_rest_goes_on(tmp_path, raw):
    store = build_store(tmp_path / "toy", INFO, raw_of(raw, crashing), "key", strict=False)
    assert list(store.ids) == [f"s{k:03d}" for k in range(N) if k != 13]
    listed = json.loads((store.path / "prepare.json").read_text())["excluded_files"]
    reasons = {one["file"]: one["reason"] for one in listed}
    assert reasons["s013"] == "the file makes its reader crash (SIGSEGV): get this file again"
    # Its bytes are part of what the store was made of, as those of any file that was left out.
    (raw / "013.png").write_bytes(b"no picture")
    other = build_store(tmp_path / "other", INFO, raw_of(raw, crashing), "key", strict=False)
    assert other.info.source_fingerprint != store.info.source_fingerprint


def killed(path: Path) -> np.ndarray:
    if path.name == "020.png":
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory ends
    return decode(path)


def lacking(path: Path) -> np.ndarray:
    if path.name == "020.png":
        raise MemoryError
    return decode(path)


@pytest.mark.parametrize(("decoder", "forks"), [(killed, True), (lacking, True), (lacking, False)])
def test_where_memory_ends_no_file_is_left_out_and_the_rest_goes_on_later(
    tmp_path, raw, decoder, forks, monkeypatch, capsys
):
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key")
    monkeypatch.setattr(processes, "can_fork", lambda: forks)
    monkeypatch.setattr("medfl.store.decoding.SYNC_EVERY", 8)
    monkeypatch.setattr("medfl.files.memory.free_memory", lambda: 2**20)
    error = MemoryEndedError if forks else MemoryError  # which `prepare` makes a sentence of
    with pytest.raises(error, match=r"020\.png was read" if forks else None):
        build_store(tmp_path / "toy", INFO, raw_of(raw, decoder), "key", strict=False)
    assert not (tmp_path / "toy").exists()
    again = build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert "toy: going on after 20 images" in capsys.readouterr().err
    assert content(again.path) == content(whole.path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "toy", "whole"]


LIMITED = """
import resource, sys
from pathlib import Path
from PIL import Image
from toy_stores import INFO, raw_of
from medfl.errors import MedflError
from medfl.store.build import build_store

taken = 1024 * int(Path("/proc/self/status").read_text().split("VmSize:")[1].split()[0])
resource.setrlimit(resource.RLIMIT_AS, (taken + (48 << 20), resource.RLIM_INFINITY))
try:
    build_store(Path(sys.argv[1], "toy"), INFO, raw_of(Path(sys.argv[1], "raw")), "key", False)
except MedflError as error:
    print(error)
"""


def test_a_large_picture_under_a_limit_of_memory_is_not_called_damaged(tmp_path, raw):
    side = 7000  # 49 MB of grey pixels
    Image.fromarray(np.zeros((side, side), np.uint8)).save(raw / "005.png")
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "memory has ended while " in done.stdout
    assert "005.png was read" in done.stdout
    store = build_store(tmp_path / "toy", INFO, raw_of(raw), "key", strict=False)
    assert len(store.ids) == N


def test_of_a_published_set_it_is_an_error_that_names_the_file(tmp_path, raw):
    with pytest.raises(MedflError, match=r"013\.png makes its reader crash \(SIGSEGV\)"):
        build_store(tmp_path / "toy", INFO, raw_of(raw, crashing), "key")
    assert multiprocessing.active_children() == []


def test_what_is_no_file_is_read_by_this_process(tmp_path):
    """An open file of a person's own, from which processes would read at once, would mix them."""
    seen = set()

    def decoder(row):
        seen.add(os.getpid())
        return np.full((1, 2, 2), row, np.uint8)

    samples = [Sample(f"s{k}", ("a",), f"p{k}") for k in range(9)]
    store = build_store(tmp_path / "toy", INFO, RawData(samples, range(9), decoder, "x"), "key")
    assert seen == {os.getpid()}
    assert store.images[:, 0, 0, 0].tolist() == list(range(9))


SLOW = """
import sys, time
from pathlib import Path
from PIL import Image
from toy_stores import INFO, decode, raw_of
from medfl.stopping import stoppable
from medfl.store.build import build_store

def slow(path):
    if path.name >= "030":
        Path(sys.argv[1], "there").touch()
        time.sleep(60)
    return decode(path)

with stoppable():
    build_store(Path(sys.argv[1], "toy"), INFO, raw_of(Path(sys.argv[1], "raw"), slow), "key")
"""


@pytest.mark.parametrize(("end", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGKILL)])
def test_stopped_from_without_and_gone_on_with_at_once(tmp_path, raw, end, number):
    whole = build_store(tmp_path / "whole", INFO, raw_of(raw), "key")
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    program = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (tmp_path / "there").exists():
        time.sleep(0.01)
    end(program.pid, number)
    assert program.wait(timeout=20) != 0
    assert not (tmp_path / "toy").exists()
    again = build_store(tmp_path / "toy", INFO, raw_of(raw), "key")  # no process holds the lock
    assert content(again.path) == content(whole.path)
