"""What a figure of one's own says wrong is one sentence, and it changes nothing of others."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from own_figure import OWN

from medfl.errors import MedflError
from medfl.report.steps import build_report

CURVES = "{'y': 'm', 'limits': [0, 1], 'digits': 1, 'chance': None, 'arms': []}"
SAID_WRONG = {
    "caption": ("def caption(self, subject): return 3", "caption gave int, but needed is a text"),
    "letters": (r"def caption(self, subject): return '\ud800'", "caption has a sign that no file"),
    "title": ("title = property(lambda self: 3)", "title gave int, but needed is a text"),
    "needs": ("needs = property(lambda self: 1 / 0)", "ZeroDivisionError: division by zero"),
    "text": (
        "def interactive(self, subject): return 'x'",
        "interactive gave str, but needed",
    ),
    "NaN": (
        "def interactive(self, subject): return {'x': float('nan')}",
        "interactive gave what JSON cannot hold",
    ),
    "keys": (
        "def interactive(self, subject): return {'y': 'm', 'arms': []}",
        "interactive lacks `limits` and `digits` and `chance`, which the page's script draws",
    ),
    "rows": ("def rows(self, subject): return {'x': 1}", "rows gave what the page cannot show"),
    "subjects": (
        "def subjects(self, *a, **k): return [1]",
        "subjects gave int, but needed",
    ),
    "elsewhere": (
        "def subjects(self, r, d, **k): return [type(s)(r, 'x') for s in super().subjects(r, d)]",
        "subjects gave a picture of 'x', None: it must be of 'toy' and one of its partitions",
    ),
    "above": ("def words_above(self, subject): return None", "words_above gave NoneType, but need"),
    "exit": ("def rows(self, subject): raise SystemExit(0)", "SystemExit: 0 .in Wrong.rows, line"),
    "sign": (
        r"def draw(self, s): f = super().draw(s); f.suptitle('\ud800'); return f",
        "its picture cannot be written: ",
    ),
}


@pytest.mark.parametrize("name", SAID_WRONG)
def test_what_a_persons_own_figure_says_wrong_is_one_sentence(results_dir, cells, own_module, name):
    line, message = SAID_WRONG[name]
    own_module("my_plots", f"{OWN}\n\nclass Wrong(Seeds):\n    {line}\n")
    with pytest.raises(MedflError, match=f"^the figure `my_plots:Wrong`: .*{message}") as error:
        build_report(cells, results_dir, figures=["my_plots:Wrong"])
    assert "\n" not in str(error.value)
    assert not (results_dir / "report.html").exists()


def test_a_persons_own_figure_changes_nothing_of_others(results_dir, cells, own_module):
    line = "def draw(self, s): s.styles.clear(); rcParams['font.size'] = 3; return super().draw(s)"
    line += f"\n    def interactive(self, subject): return {CURVES}"
    code = f"from matplotlib import rcParams\n{OWN}\n\nclass Mine(Seeds):\n    {line}\n"
    own_module("my_plots", code)
    size = mpl.rcParams["font.size"]
    build_report(cells, results_dir, figures=["my_plots:Mine", "clients"])
    assert mpl.rcParams["font.size"] == size
    page = (results_dir / "report.html").read_text(encoding="utf-8")
    assert '"limits": [0, 1]' in page
