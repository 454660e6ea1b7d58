"""What is no ordinary file is never waited for: a named pipe, a device, a folder, a socket."""

from __future__ import annotations

import ast
import os
import signal
import socket
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.files import parse_json, read_json, read_yaml, sha256_file
from medfl.files.regular import NO_FILE, check_regular, lack, read_bytes, read_text
from medfl.partition.rows import read_rows
from medfl.results.predictions import read_predictions
from medfl.results.record import DamagedRecordError, origin_of, read_record
from medfl.results.tables import read_numbers

PACKAGE = Path(__file__).resolve().parents[2] / "medfl"


@pytest.fixture
def pipe(tmp_path):
    """A named pipe into which nobody writes; who waits for it is woken by an alarm."""

    def woken(*_):
        raise AssertionError("it waited")

    os.mkfifo(tmp_path / "pipe")
    before = signal.signal(signal.SIGALRM, woken)
    signal.alarm(20)
    yield tmp_path / "pipe"
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("read", [read_text, read_bytes, check_regular, sha256_file])
def test_a_pipe_a_device_and_a_folder_are_refused(pipe, read):
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(OSError, match=NO_FILE) as error:
            read(path)
        assert error.value.filename == str(path)
    with pytest.raises(IsADirectoryError):
        read(pipe.parent)


def test_a_socket_and_a_link_to_itself_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(OSError, match=NO_FILE):
            read_bytes("socket")
    Path("loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        read_bytes("loop")


def test_what_is_lacking_is_said(pipe, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nothing").symlink_to("nowhere")
    assert lack(tmp_path / "missing") == lack(tmp_path / "nothing") == "does not exist"
    assert lack(tmp_path) == "cannot be read (Is a directory)"
    assert lack(pipe) == f"cannot be read ({NO_FILE})"
    assert lack(tmp_path / "loop") == "cannot be read (Too many levels of symbolic links)"


def test_an_ordinary_file_is_read_as_before(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\xff")
    assert read_bytes(path) == b"\xef\xbb\xbfa\r\nb\xff"
    assert read_text(path, "utf-8-sig", "replace") == "a\nb�"
    with pytest.raises(UnicodeDecodeError):
        read_text(path)
    check_regular(path)
    check_regular(tmp_path / "missing")  # whoever opens it says so


REFUSED = {
    "grid": (read_yaml, MedflError),
    "split": (read_rows, MedflError),
    "predictions": (read_predictions, MedflError),
    "record": (read_record, DamagedRecordError),
    "rounds": (lambda path: read_numbers(path, ()), MedflError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_who_reads_a_pipe_says_in_one_sentence_what_it_is(pipe, name):
    read, kind = REFUSED[name]
    with pytest.raises(kind) as error:
        read(pipe)
    assert f"{pipe} cannot be read ({NO_FILE})" in str(error.value)


def test_what_asks_whether_there_is_a_record_finds_none_in_a_pipe(pipe):
    assert read_json(pipe) == {}
    assert origin_of(pipe) == {}


@pytest.mark.parametrize("escaped", [b'"\\q"', b'"\xff"'])
def test_a_text_that_is_none_of_json_s_is_no_origin(tmp_path, escaped):
    path = tmp_path / "metrics.json"
    path.write_bytes(b'{"provenance": {"code_sha": "a", "config_sha256": ' + escaped + b"}}")
    assert origin_of(path) == {}


def test_a_key_that_stands_twice_in_a_record_is_refused(tmp_path):
    # Readers differ in which of two they take: one may show what another has not checked.
    with pytest.raises(ValueError, match="a key stands there a second time"):
        parse_json('{"status": "completed", "last": {"a": 1, "a": 2}}')
    (tmp_path / "metrics.json").write_text('{"schema": 1, "schema": 2}')
    with pytest.raises(DamagedRecordError, match="a key stands there a second time"):
        read_record(tmp_path / "metrics.json")


SYSTEM = {
    "files/control_groups.py", "files/forked.py", "files/memory.py", "files/parallel.py",
    "federated/usage.py", "warm/address.py", "warm/server.py",
}  # fmt: skip
"""These read what the kernel gives."""
OURS = {"datasets/catalog/medmnist.py", "sources.py", "gpu.py"}
"""These read files of the package, or those that they have looked at themselves, by `read_text`."""


def test_whatever_medfl_reads_it_opens_as_an_ordinary_file():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name in SYSTEM:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and _reads(node, name):
                found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def _reads(call: ast.Call, name: str) -> bool:
    """Whether a call reads a file without ``opener=regular``."""
    words = {word.arg for word in call.keywords}
    if isinstance(call.func, ast.Attribute):
        if call.func.attr in ("read_text", "read_bytes"):
            return name not in OURS
        modes = [one.value for one in call.args if isinstance(one, ast.Constant)]
        opens = call.func.attr == "open" and ast.unparse(call.func.value) != "os"
        return opens and ("rb" in modes or (not modes and "newline" in words))
    if not (isinstance(call.func, ast.Name) and call.func.id == "open"):
        return False
    mode = call.args[1].value if len(call.args) > 1 else "r"
    return "opener" not in words and "r" in mode
