"""`medfl inspect`: a wrong option is one line, and no card is begun."""

from __future__ import annotations

import pytest

from medfl.cli import main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sample", "0"], "--sample must be from 1 to"),
        (["--sample", "1000000"], "--sample must be from 1 to"),
        (["--seed", "-1"], "--seed must not be negative, but is -1."),
        (["--output-dir", ""], "argument --output-dir: '' names no file or folder"),
    ],
)
def test_wrong_options(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["inspect", "phantom", *options])
    except SystemExit as stop:  # of a word that is no name
        status = stop.code
    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("medfl")
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
