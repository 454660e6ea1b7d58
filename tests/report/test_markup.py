"""Words and tables of the report in LaTeX, Markdown and CSV."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from medfl.report.grid_results import GridResults
from medfl.report.latex import escape_latex, latex
from medfl.report.main_tables import main_table
from medfl.report.markup import escape_markdown, markdown, markdown_words
from medfl.report.spreadsheet import no_formula
from medfl.report.steps import aggregate
from medfl.results.runs import read_grid_runs


def table(cells, results_dir):
    results = GridResults(read_grid_runs(cells, results_dir, partial=False))
    return main_table(results, "toy")


def test_escapes():
    assert escape_latex("a_b & 5% ± \\x") == r"a\_b \& 5\% $\pm$ \textbackslash{}x"
    assert escape_markdown("a|b*c") == r"a\|b\*c"


def test_code_in_a_note_is_code_and_all_else_is_printed_as_it_is():
    assert markdown_words("`local_steps` of a_b* `x") == r"`local_steps` of a\_b\* \`x"
    assert escape_latex("p < 0.05 > a|b") == r"p \textless{} 0.05 \textgreater{} a\textbar{}b"


def test_the_notes_of_written_tables_have_code_words(cells, results_dir):
    made = table(cells, results_dir)
    text, paper = markdown([("toy", made)]), latex([("toy", made)], "comparison")
    assert "With `local_epochs` it makes rounds × local\\_epochs passes" in text
    assert "\\`" not in text
    assert r"With \texttt{local\_epochs} it makes rounds $\times$ local\_epochs passes" in paper
    assert r"Holm, p \textless{} 0.05)" in paper


def test_wide_tables_for_latex_are_parted_and_not_shrunk(cells, results_dir):
    made = table(cells, results_dir)
    text = latex([("toy", made)], "comparison")
    assert "resizebox" not in text
    assert r"\footnotesize" in text
    heads = [line for line in text.splitlines() if line.strip().startswith("Arm &")]
    # Each part begins with the arms' names; together they have every column once.
    stacked = re.compile(r"\\shortstack\[r\]\{(.*?) \\\\ (.*?)\}")
    whole = [stacked.sub(r"\1, \2", head) for head in heads]
    columns = [word.strip(" \\") for head in whole for word in head.split("&")[1:]]
    assert columns == [escape_latex(word) for word in made.header[1:]]
    for line in text.splitlines():
        if "&" in line and "shortstack" not in line:
            shown = line.replace(r"$\pm$", "±").replace(r"\textsuperscript{\dag}", "†")
            assert len(re.sub(r"\\textbf|[{}\\&]", "", shown)) <= 90


NAMES = ("$5_$10 {x}%", "a&b #1 ~ ^", "back\\slash", *(f"arm_{k}" for k in range(9)))


@pytest.fixture(scope="module")
def papers(tmp_path_factory, fake):
    """Every table in LaTeX, of a grid whose arms have names that LaTeX takes for commands."""
    folder = tmp_path_factory.mktemp("papers")
    cells = fake.grid(["toy"], ["iid", "dirichlet-0.5"], NAMES, [0, 1, 2])
    for number, cell in enumerate(cells):
        kind = "personal" if cell.arm == "arm_1" else "global"
        final = 0.6 + number % 7 / 50
        fake.write_run(folder, cell, [0.3, final], evaluated=kind, patients=60)
    aggregate(cells, folder)
    return sorted((folder / "tables").glob("*.tex"))


def test_every_table_is_written_for_latex_too(papers):
    tables = {path.stem for path in papers[0].parent.glob("*.csv")}
    assert {path.stem for path in papers} == tables - {"convergence"}, "curves are no table"


def test_latex_is_whole_and_has_no_bare_letter_that_it_takes_for_a_command(papers):
    """Environments close in order, rows have as many cells as columns, and names are escaped."""
    for path in papers:
        open_ones, columns = [], 0
        for line in path.read_text("utf-8").splitlines():
            for which, name in re.findall(r"\\(begin|end)\{(\w+)\}", line):
                if which == "begin":
                    open_ones.append(name)
                    spec = re.search(r"\{(l[r]*)\}$", line)
                    columns = len(spec.group(1)) if spec else columns
                else:
                    assert open_ones.pop() == name, path
            bare = re.sub(r"\\[&%$#_{}]", "", line)
            assert not re.search(r"[#_^~](?!\{)", re.sub(r"\$.*?\$|^%.*|label\{.*?\}", "", bare)), (
                line
            )
            if " & " in line:
                assert len(re.findall(r" & ", line)) + 1 == columns, (path, line)
        assert open_ones == [], path


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("Łódź α ≤ 8 é ü ß – “a”", ""),
        ("Częstochowa", r"% Needs \usepackage[T1]{fontenc}, which has ę."),
        ("Ħamrun", "% pdfLaTeX has no Ħ: use XeLaTeX or LuaLaTeX, and a font that has it."),
        ("肺炎", "% pdfLaTeX has no 肺: use XeLaTeX or LuaLaTeX, and a font that has it."),
    ],
)
def test_a_table_says_which_letter_plain_latex_lacks(cells, results_dir, name, needs):
    first = latex([(name, table(cells, results_dir))], "comparison").splitlines()[0]
    assert first == (needs or r"% Needs \usepackage{booktabs,longtable}.")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_compiles(cells, results_dir, papers, tmp_path):
    made = replace(table(cells, results_dir), title="$5_$10 {x}% & #1 ~ ^ \\ ε ≤ 8, α → ∞")
    known = "a_$b% Łódź ‘’“”…–—†‡•‰€™ ñ å Ő"
    (tmp_path / "one.tex").write_text(latex([(known, made)], "comparison"), encoding="utf-8")
    polish = latex([("Częstochowa «Þ» „a“ đ ŋ", made)], "comparison")
    (tmp_path / "two.tex").write_text(polish, encoding="utf-8")
    document = [r"\documentclass{article}", r"\usepackage{booktabs,longtable}"]
    document += [r"\begin{document}", *(rf"\input{{{path}}}\clearpage" for path in papers)]
    document += [r"\input{one.tex}", r"\end{document}"]
    (tmp_path / "paper.tex").write_text("\n".join(document), encoding="utf-8")
    document = [document[0], r"\usepackage[T1]{fontenc}", document[1], r"\begin{document}"]
    document += [r"\input{two.tex}", r"\end{document}"]
    (tmp_path / "polish.tex").write_text("\n".join(document), encoding="utf-8")
    for name in ("paper", "polish"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, errors="replace"
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout, done.stdout
        assert "Float too large" not in done.stdout


@pytest.mark.parametrize("word", ["=1+1", "+a", "-a", "@a", "\tx"])
def test_no_word_of_a_person_is_a_formula_of_a_spreadsheet(word):
    assert no_formula(word) == f"'{word}"
    assert no_formula(f"a{word}") == f"a{word}"


@pytest.mark.parametrize("number", ["-0.5", "+1e-3", "-inf"])
def test_numbers_stay_numbers(number):
    assert no_formula(number) == number


def test_no_table_has_a_formula(tmp_path, fake):
    """An arm called as a formula, in every file that spreadsheets open; numbers below 0 stay."""
    cells = fake.grid(["toy"], ["iid", "dirichlet-0.5"], ["=1+1", "fedavg"], [0, 1, 2, 3])
    for number, cell in enumerate(cells):
        names = {"client_names": ["@SUM(A1)"]}
        last = fake.medical(0.1 + number % 3 / 50)  # kappa is accuracy - .2: below 0
        fake.write_run(
            tmp_path,
            cell,
            [0.3, 0.1],
            algorithm="fedavg",
            last={"round": 1, "val": last, "test": last, "everyone": last},
            heterogeneity=names,
            patients=60,
        )
    aggregate(cells, tmp_path)
    files = [tmp_path / "summary.csv", *(tmp_path / "tables").glob("*.csv")]
    assert {path.stem for path in files} >= {
        "summary",
        "ranking",
        "paired",
        "comparison",
        "clients",
    }
    for path in files:
        with path.open(newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    assert not cell.startswith(("=", "@", "+", "-")) or float(cell) <= 0, path
    text = (tmp_path / "summary.csv").read_text()
    assert ",'=1+1," in text
    assert ",-0.1," in text
