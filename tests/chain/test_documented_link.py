"""The link of docs/update-chain.md runs as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from federations import federation, models

PAGE = Path(__file__).parents[2] / "docs" / "update-chain.md"


def test_the_link_of_the_page(tmp_path, monkeypatch):
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    (tmp_path / "my_links.py").write_text(block.group(1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    plain = models(federation(rounds=1))
    shrunk = models(federation(rounds=1, chain={"links": {"my_links:Shrink": {"part": 0.25}}}))
    expected = plain[0] + 0.25 * (plain[1] - plain[0])
    assert torch.allclose(shrunk[1], expected, rtol=0, atol=1e-12)
