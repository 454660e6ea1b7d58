"""Words and tables of the report in LaTeX, Markdown and CSV."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.markup import escape_latex, escape_markdown, latex
from medfl.report.names import no_formula
from medfl.report.tables import main_tables
from medfl.results.columns import OWN
from medfl.results.runs import read_grid_runs


def table(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir, partial=False))
    return next(made for made in main_tables(results, "toy") if made.question == OWN)


def test_escapes():
    assert escape_latex("a_b & 5% ± \\x") == r"a\_b \& 5\% $\pm$ \textbackslash{}x"
    assert escape_markdown("a|b*c") == r"a\|b\*c"


def test_wide_tables_for_latex_are_parted_and_not_shrunk(cells, results_dir):
    made = table(cells, results_dir)
    text = latex([("toy", made)], "comparison")
    assert "resizebox" not in text
    assert r"\footnotesize" in text
    heads = [line for line in text.splitlines() if line.strip().startswith("Arm &")]
    # Each part begins with the arms' names; together they have every column once.
    columns = [word.strip(" \\") for head in heads for word in head.split("&")[1:]]
    assert columns == [escape_latex(word) for word in made.header[1:]]
    for line in text.splitlines():
        if "&" in line:
            shown = line.replace(r"$\pm$", "±").replace(r"\textsuperscript{\dag}", "†")
            assert len(re.sub(r"\\textbf|[{}\\&]", "", shown)) <= 90


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_compiles(cells, results_dir, tmp_path):
    made = replace(table(cells, results_dir), title="$5_$10 {x}% & #1 ~ ^ \\ ε ≤ 8, α → ∞")
    document = [r"\documentclass{article}", r"\usepackage{booktabs}", r"\begin{document}"]
    document += [latex([("a_$b%", made)], "comparison"), r"\end{document}"]
    (tmp_path / "paper.tex").write_text("\n".join(document), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


@pytest.mark.parametrize("word", ["=1+1", "+a", "-a", "@a", "\tx"])
def test_no_word_of_a_person_is_a_formula_of_a_spreadsheet(word):
    assert no_formula(word) == f"'{word}"
    assert no_formula(f"a{word}") == f"a{word}"
