"""Which commit a run's code is."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from medfl.federated import provenance


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_says_whether_the_code_was_edited(tmp_path, monkeypatch):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    file = tmp_path / "code.py"
    file.write_text("a = 1\n")
    git("init", "-q")
    git("add", "code.py")
    git("commit", "-q", "-m", "Begin")
    git("tag", "a-name-that-is-no-commit")
    monkeypatch.setattr(provenance, "__file__", str(file))
    read = provenance.git_commit.__wrapped__
    assert read() == git("rev-parse", "HEAD")
    file.write_text("a = 2\n")
    assert read() == f"{git('rev-parse', 'HEAD')}-dirty"
    shutil.rmtree(tmp_path / ".git")
    assert read() is None
