"""Opens a page in a real browser without a window, and gives back what a script in it found."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium is installed (on Debian: apt-get install chromium)"
)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--allow-file-access-from-files", "--enable-logging=stderr"),
    *("--virtual-time-budget=4000", "--dump-dom"),
)
LISTEN = """<script>
const problems = [];
addEventListener("error", event => problems.push(event.message));
addEventListener("load", () => setTimeout(() => {
  let found;
  try { found = (() => { %s })(); } catch (error) { problems.push(String(error)); }
  parent.postMessage(JSON.stringify({found, problems}), "*");
}, 1000));
</script>"""
# A frame may be narrower than any window, and media queries go by its width.
HOST = """<body style="margin:0"><iframe src="page.html" style="border:0;width:%dpx;height:%dpx">
</iframe><pre></pre><script>
addEventListener("message", event => { document.querySelector("pre").textContent = event.data; });
</script>"""


def visit(page: str, folder: Path, script: str, width: int, height: int) -> Any:
    """What a script returns in a page of that size; an error of the page fails the test.

    Args:
        page: the page's text.
        folder: an empty one for files and the browser's profile.
        script: the body of a function.
        width, height: in pixels of CSS.
    """
    assert BROWSER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.html").write_text(
        page.replace("<head>", f"<head>{LISTEN % script}", 1), "utf-8"
    )
    (folder / "host.html").write_text(HOST % (width, height), "utf-8")
    command = [BROWSER, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    command += [f"--window-size={max(width, 600)},{height}", (folder / "host.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")
    said = re.search(r"<pre>(.*?)</pre>", done.stdout, re.DOTALL)
    text = said.group(1) if said else ""
    assert text, f"the page did not answer: {done.stderr[-2000:]}"
    answer = json.loads(html.unescape(text))
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert answer["problems"] == [], answer["problems"]
    assert console == [], console
    return answer["found"]
