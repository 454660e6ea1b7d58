"""What help says, and what a terminal shows of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from medfl import cli
from medfl.commands import options as option_words
from medfl.commands.call import parser
from medfl.commands.examples import EXAMPLES
from medfl.config import DEFAULTS, SplitConfig, Training


def test_a_default_follows_the_configuration(monkeypatch, capsys):
    """Changed in the configuration, it is changed on the command line and in its help."""
    changed = DEFAULTS.model_copy(
        update={"training": Training(batch_size=7), "split": SplitConfig(official_folds=False)}
    )
    monkeypatch.setattr(option_words, "DEFAULTS", changed)
    assert parser().parse_args(["benchmark"]).batch_size == 7
    command = ["split", "x", "--partition", "iid", "--output", "o"]
    assert parser().parse_args(command).official_folds is False
    assert parser().parse_args([*command, "--official-folds"]).official_folds is True
    with pytest.raises(SystemExit):
        parser().parse_args(["benchmark", "--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    assert "images per step of a client (default: 7)" in help_text


COMMANDS = sorted(parser()._subparsers._group_actions[0].choices)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_leaves_out_a_default_that_says_nothing(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "default: None" not in words
    assert "default: )" not in words
    if command == "split":
        assert "(default: 0)" in words
        assert "--num-clients NUM_CLIENTS 10 where left out; of `site` one per site" in words


def test_seeds_may_be_a_range():
    assert parser().parse_args(["benchmark", "--seeds", "0-4"]).seeds == [0, 1, 2, 3, 4]
    assert parser().parse_args(["benchmark", "--seeds", "7, 0-1,3-3"]).seeds == [7, 0, 1, 3]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_example_of_the_help_is_a_command(command):
    for line in EXAMPLES[command]:
        first, *words = shlex.split(line)
        assert first == "medfl"
        assert words[0] == command
        parser().parse_args(words)


def test_help_of_a_benchmark_names_what_it_may_name(capsys):
    with pytest.raises(SystemExit):
        cli.main(["benchmark", "--help"])
    lines = capsys.readouterr().out.split("examples:")[1]
    for word in ("scaffold,", "dirichlet-0.5,", "site-dirichlet-", "resnet18,", "0-4 --dry-run\n"):
        assert word in lines


@pytest.mark.parametrize(("encoding", "command"), [("ascii", "datasets"), ("latin-1", "--help")])
def test_a_terminal_that_lacks_letters_ends_no_command(tmp_path, encoding, command):
    places = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-m", "medfl.cli", command],
        cwd=tmp_path,
        env={**os.environ, **places, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).count("\\u") > 0, "there are letters that it lacks"


def test_help_waits_for_no_heavy_import():
    code = (
        "import sys; from medfl import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'pydantic', 'numpy', 'torch', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"benchmark" in done.stdout
