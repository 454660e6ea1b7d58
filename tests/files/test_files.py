"""Files appear complete or not at all."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.files import (
    atomic_path,
    read_json,
    read_yaml,
    sha256_file,
    write_csv,
    write_json,
    write_text,
    write_yaml,
)
from medfl.files.writing import _is_device


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(tmp_path):
    write_text(tmp_path / "deep" / "a.txt", "ä\n")
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "ä\n"
    write_json(tmp_path / "a.json", {"x": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None]}
    write_yaml(tmp_path / "a.yaml", {"b": 1, "a": "ß"})
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == "b: 1\na: ß\n"
    write_csv(tmp_path / "a.csv", ("x", "y"), [{"x": 1}, {"x": "a,b", "y": None}])
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1,\n"a,b",\n'
    assert list(csv.DictReader((tmp_path / "a.csv").open()))[1] == {"x": "a,b", "y": ""}
    assert sha256_file(tmp_path / "a.csv") == hashlib.sha256(b'x,y\n1,\n"a,b",\n').hexdigest()
    assert names(tmp_path) == ["a.csv", "a.json", "a.yaml", "deep"]


def test_files_are_readable_as_the_umask_says(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_an_error_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", float("nan"))
    with pytest.raises(ValueError, match="fields not in"):
        write_csv(tmp_path / "a", ("x",), [{"x": 1}, {"z": 2}])

    def interrupted():
        with atomic_path(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def make_folder(target, text):
    with atomic_path(target) as temporary:
        temporary.mkdir()
        write_text(temporary / "file", text)


def test_a_folder_replaces_a_folder(tmp_path):
    make_folder(tmp_path / "d", "old")
    (tmp_path / "d" / "more").write_text("")
    make_folder(tmp_path / "d", "new")
    assert names(tmp_path) == ["d"]
    assert names(tmp_path / "d") == ["file"]
    assert (tmp_path / "d" / "file").read_text() == "new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_left(tmp_path, monkeypatch, code):
    write_text(tmp_path / "a", "old")

    def full(source, target):
        raise OSError(code, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MedflError, match=r"no space left while writing .*a: nothing of it"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_no_space_left_while_a_folder_is_exchanged(tmp_path, monkeypatch):
    make_folder(tmp_path / "d", "old")
    original, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 2:  # the old folder is aside, the new one does not fit
            raise OSError(errno.ENOSPC, "full")
        original(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(MedflError, match="no space left"):
        make_folder(tmp_path / "d", "new")
    assert (tmp_path / "d" / "file").read_text() == "old"
    assert names(tmp_path) == ["d"]


@pytest.mark.parametrize("place", ["file/a", "folder", "folder/" + "x" * 300])
def test_an_impossible_place_is_named(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MedflError, match=rf"cannot write .*{place} \(.*choose another place"):
        write_text(tmp_path / place, "x")
    assert names(tmp_path) == ["file", "folder"]
    assert names(tmp_path / "folder") == []


@pytest.mark.parametrize("target", ["", ".", "..", "folder/.."])
def test_a_target_without_a_name_costs_nobody_their_files(tmp_path, monkeypatch, target):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis").write_text("")
    monkeypatch.chdir(tmp_path / "folder")
    with pytest.raises(MedflError, match="names no file that could be written"):
        write_text(target, "x")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["thesis"]


def test_a_full_disk_names_what_was_asked_for_and_not_the_scratch(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(type(tmp_path), "write_text", full)
    with pytest.raises(MedflError, match=rf"while writing {tmp_path / 'd'}: nothing of it"):
        make_folder(tmp_path / "d", "x")
    assert names(tmp_path) == []


KILLED = """
import os, sys
from medfl.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.")
    with atomic_path(tmp_path / "a") as ours:
        for scratch in tmp_path.iterdir():
            os.utime(scratch, (0, 0))
        write_text(tmp_path / "a", "whole")
        assert ours.parent.exists(), "what is being written stays"
        assert names(tmp_path) == [ours.parent.name, "a"]
        ours.write_text("later")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "later"


def test_who_reads_a_yaml_file_again_gets_what_is_in_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: [1]")
    read_yaml(path)["a"].append(2)
    assert read_yaml(path) == {"a": [1]}
    path.write_text("a: [3]")
    assert read_yaml(path) == {"a": [3]}


def test_bad_yaml(tmp_path):
    with pytest.raises(MedflError, match=r"nowhere.yaml does not exist"):
        read_yaml(tmp_path / "nowhere.yaml")
    (tmp_path / "a.yaml").write_text("a: 1\nb: [\n")
    with pytest.raises(
        MedflError, match=r"a.yaml is not valid YAML: line 3, column 1: expected the"
    ):
        read_yaml(tmp_path / "a.yaml")
    with pytest.raises(MedflError, match=rf"{tmp_path} cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "c.yaml").write_text("a: {x: 1}\nb: {x: 1, y: 2, x: 3}\n")
    with pytest.raises(MedflError, match=r"c.yaml .*: line 2, column 17: a key stands"):
        read_yaml(tmp_path / "c.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(MedflError, match="not valid YAML"):
        read_yaml(tmp_path / "b.yaml")


BUILT = "a value that cannot be built as what it is"
LAUGHS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefgh"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: 1\nseeds: [!!int abc]\n", "line 2, column 9: no whole number .* (in `seeds`)"),
        ("x: 1\nrun:\n  y: !!timestamp 2024-02-30\n", f"line 3, column 6: {BUILT} (in `run`)"),
        (f"seeds: [{'1' * 5000}]\n", f"line 1, column 9: {BUILT} (in `seeds`)"),
        ("a: !!bool perhaps\n", f"line 1, column 4: {BUILT} (in `a`)"),
        ("a: !!set [x]\n", "line 1, column 4: expected a mapping node"),
        ("a: \x00\n", "line 1, column 4: a character that YAML does not allow"),
        (f"seeds: {'[' * 3000}{']' * 3000}\n", "line 1, column 71: more than 64 levels in one"),
        ("".join("  " * k + "a:\n" for k in range(900)), "line 64, .* more than 64 levels in one"),
        ("a: &a [1, *a]\n", "line 1, column 4: an alias within what it stands for (in `a`)"),
        (f"a: &a [1]\n{LAUGHS}", "line 7, .*: aliases that come to more than 1,000,000 values"),
    ],
)
def test_a_yaml_value_that_cannot_be_built_is_said_by_line_and_key(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    pattern = message.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(MedflError, match=rf"a.yaml is not valid YAML: {pattern}"):
        read_yaml(path)


def test_yaml_values_that_only_look_impossible_stay_texts(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("title: 2024-02-30\na: &a [1, 2]\nb: [*a, *a]\n")
    assert read_yaml(path) == {"title": "2024-02-30", "a": [1, 2], "b": [[1, 2], [1, 2]]}


@pytest.mark.parametrize(
    "text",
    [
        *("a: 'Zzhuber\nb: 1", "a: [Zzhuber, 2\nb: 3\n", "a: *Zzhuber\n", "a: !Zzhuber x\n"),
        *("a: !!int Zzhuber\n", "Zzhuber: 2\nZzhuber: 3\n", 'a: "Zz\\qhuber"\n', "a: Zzhuber: x\n"),
        *("? [Zzhuber]\n: x\n", "a: &Zzhuber x\nb: &Zzhuber y\n", "{Zzhuber", "\0Zzhuber"),
        *("a: !<Zz'huber> b", "a: !<Zz'h'uber> b'c'", "!Zz'hu'ber!x: [", "a: |Zzhuber\n x"),
        *("- Zzhuber\nb: c", "a:\n\tZzhuber: 1\n", "a: !!python/object:Zzhuber x\n"),
    ],
)
def test_no_word_of_a_yaml_file_is_repeated(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(MedflError) as error:
        read_yaml(path)
    said = str(error.value).removeprefix(str(path))
    assert " is not valid YAML: " in said
    assert not any(part in said for part in ("Zz", "huber", "uber"))


def test_json_that_is_no_object_is_empty(tmp_path):
    path = tmp_path / "a.json"
    assert read_json(path) == {}
    for text in ("", "[1]", "7", "{", "[" * 100_000, '{"a": }'):
        path.write_text(text)
        assert read_json(path) == {}
    path.write_text('{"a": [1]}')
    assert read_json(path) == {"a": [1]}


def test_a_device_is_never_replaced_by_a_file(tmp_path):
    assert _is_device(Path("/dev/null"))
    device = tmp_path / "device"
    try:
        os.mknod(device, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    with pytest.raises(MedflError, match=r"device is a device, and no place for a file: name"):
        write_text(device, "x")
    assert stat.S_ISCHR(device.lstat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["device"]
    (tmp_path / "link").symlink_to(device)  # it is the link that is replaced
    write_text(tmp_path / "link", "x")
    assert (tmp_path / "link").read_text() == "x"
    assert stat.S_ISCHR(device.lstat().st_mode)
