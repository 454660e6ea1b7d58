"""The pages hold together: links between them lead somewhere, and the site has all names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml

import medfl

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "params/datasets", "results")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that headings of a page get."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    counted: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{name}-{counted[name]}" if counted[name] else name)
        counted[name] += 1
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):  # of another host: not looked at without a network
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} leads nowhere"
        # The site has the pages of docs/ alone.
        assert target.is_relative_to(DOCS if page.is_relative_to(DOCS) else ROOT), link
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def test_the_site_describes_every_public_name_at_its_home():
    pages = (DOCS / "api").glob("*.md")
    described = [
        name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)
    ]
    homes = {f"{home}.{name}" for name, home in medfl._HOMES.items()}
    assert homes <= set(described)
    assert len(described) == len(set(described))


@pytest.mark.parametrize("dead", [["nowhere.md", "#none"], []], ids=["dead", "none"])
def test_make_docs_stops_at_a_link_that_leads_nowhere(tmp_path, dead):
    """The command of the Makefile, with the settings of the site, on one page of its own."""
    recipe = re.search(
        r"^docs:.*\n\t.*\$\(BIN\)/(mkdocs .*)$", (ROOT / "Makefile").read_text(), re.M
    )
    assert recipe
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    for key in ("nav", "plugins", "theme", "markdown_extensions"):
        del settings[key]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(
        "# A page\n\n" + " ".join(f"[Read]({link})" for link in dead)
    )
    command = [sys.executable, "-m", *shlex.split(recipe[1])]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == bool(dead), made.stderr
    assert all(link in made.stderr for link in dead)
