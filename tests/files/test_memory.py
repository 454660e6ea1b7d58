"""What is free of memory, and when its want, and not a damaged file, is to blame for an error."""

from __future__ import annotations

import pickle
import resource
from pathlib import Path

import numpy as np
import pytest

from medfl.errors import FileError, MedflError, failure
from medfl.files import memory
from medfl.files.memory import MemoryEndedError, end_without_memory, free_memory, naming_memory


def test_free_memory_is_the_machines_or_what_a_limit_leaves():
    text = Path("/proc/meminfo").read_text()
    machine = 1024 * int(text.split("MemAvailable:")[1].split()[0])
    assert 0 < free_memory() < 1.2 * machine
    before = resource.getrlimit(resource.RLIMIT_DATA)
    taken = 1024 * int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0])
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (taken + (64 << 20), before[1]))
        assert free_memory() == pytest.approx(64 << 20, abs=4 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_room_of_control_groups(tmp_path):
    """The job's own group has no limit, the one above it has; caches of files are given back."""
    root, own = tmp_path / "fs", tmp_path / "cgroup"
    group(root / "slurm" / "job", memory__max="max\n", memory__current="5\n", memory__stat="")
    group(
        root / "slurm",
        memory__max="1000\n",
        memory__current="700\n",
        memory__stat="anon 400\ninactive_file 200\nactive_file 100\n",
    )
    own.write_text("0::/slurm/job\n")
    assert memory._room_in_groups(own, root) == [1000 - 700 + 300]
    group(
        root / "memory" / "docker",
        memory__limit_in_bytes="2000\n",
        memory__usage_in_bytes="1500\n",
        memory__stat="inactive_file 1\ntotal_inactive_file 250\ntotal_active_file 50\n",
    )
    own.write_text("3:cpu,cpuacct:/docker\n2:memory:/docker\n0::/nowhere\n")
    assert memory._room_in_groups(own, root) == [2000 - 1500 + 300]
    assert memory._room_in_groups(tmp_path / "none", root) == []


def asked(size: int) -> MemoryError:
    """What NumPy raises of an array of so many bytes."""
    with pytest.raises(MemoryError) as error:
        np.empty(2**60, np.uint8)
    error.value.shape, error.value.dtype = (size,), np.dtype(np.uint8)  # type: ignore[attr-defined]
    return error.value


def of_a_reader(cause: Exception) -> FileError:
    """As readers raise it: the cause is there, and is not shown."""
    try:
        try:
            raise cause
        except Exception:
            raise FileError("x.png", "is damaged") from None
    except FileError as error:
        return error


@pytest.mark.parametrize(
    ("error", "free", "ended"),
    [
        (MemoryError(), 2**29, True),
        (MemoryError(), 2**31, False),  # a decoder of damaged bytes may say anything
        (of_a_reader(MemoryError()), 2**29, True),
        (of_a_reader(ValueError()), 0, False),
        (asked(2**31), 2**33, True),  # a sound file may need so much, and did not get it
        (asked(2**33), 0, False),  # and no file may need so much
        (OverflowError(), 0, False),
    ],
)
def test_memory_is_to_blame_where_little_is_free(error, free, ended, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    for judge in (end_without_memory, failure):
        if ended:
            with pytest.raises(MemoryError):
                judge(error)
        else:
            judge(error)


def test_of_decoders_that_do_not_say_it_next_to_none_must_be_free(monkeypatch):
    for free in (2**27, 2**29):
        monkeypatch.setattr(memory, "free_memory", lambda free=free: free)
        if free < 2**28:
            with pytest.raises(MemoryError):
                end_without_memory(RuntimeError("no decoder"), told=False)
        else:
            end_without_memory(RuntimeError("no decoder"), told=False)


def test_what_was_prepared_is_named():
    said = "memory has ended while toy was prepared, and nothing is half done"
    with pytest.raises(MedflError, match=said), naming_memory("toy"):
        raise MemoryError
    error = pickle.loads(pickle.dumps(MemoryEndedError("x.png")))
    assert error.path == Path("x.png")
    assert str(error).startswith("memory has ended while x.png was read")
