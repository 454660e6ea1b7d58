"""Sets tables for papers in LaTeX: at a legible size, with every name as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from medfl.pages.words import with_code
from medfl.report.questions import TITLES
from medfl.report.tables import ArmTable, Entry
from medfl.results.columns import EVERYONE

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\dag}",
    "–": "--",
    "−": "$-$",
    "α": r"$\alpha$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "∞": r"$\infty$",
    "σ": r"$\sigma$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "<": r"\textless{}",  # these three are other letters in the fonts of plain LaTeX
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "“": "``",
    "”": "''",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_LATEX_PATTERN = re.compile("|".join(re.escape(character) for character in _LATEX))


def escape_latex(text: str) -> str:
    """``text`` so that LaTeX prints it as it is."""
    return _LATEX_PATTERN.sub(lambda match: _LATEX[match.group()], text)


def _code(word: str) -> str:
    return f"\\texttt{{{escape_latex(word)}}}"


def latex(tables: Sequence[tuple[str, ArmTable]], label: str) -> str:
    """Tables with their datasets, as LaTeX floats; those of many rows run over pages instead.

    They are set in the size of footnotes, which is legible, and never shrunk: columns that do not
    fit beside the others into a line of the class ``article`` make a further table below.
    """
    blocks = ["% Needs \\usepackage{booktabs,longtable}."]
    for dataset, table in tables:
        apart = "-everyone" if table.question == EVERYONE else ""
        title = escape_latex(f"{dataset}: {table.title}.")
        notes = with_code(" ".join(table.notes), escape_latex, _code)
        called = f"tab:{re.sub('[^a-z0-9]+', '-', f'{label}{apart}-{dataset}'.lower())}"
        parts = _columns_that_fit(table)
        if len(table.rows) > PAGE:
            words = f"  \\caption{{{title} {notes}}}\\label{{{called}}} \\\\"
            blocks += [_long(table, part, words if part == parts[0] else "") for part in parts]
        elif len(parts) * (len(table.rows) + len(table.groups()) + 3) + len(notes) // 65 < FLOAT:
            blocks.append(_float(table, parts, f"{title} {notes}", called))
        else:
            for number, part in enumerate(parts, start=1):
                words = f"{title[:-1]} ({number} of {len(parts)})."
                words += f" {notes}" if number == len(parts) else ""
                place = called if number == 1 else f"{called}-{number}"
                blocks.append(_float(table, [part], words, place))
    text = "\n\n".join(blocks) + "\n"
    return f"{needs}\n{text}" if (needs := _needs(text)) else text


def _needs(text: str) -> str:
    """A comment on letters that plain LaTeX does not have; empty where it has them all."""
    letters = dict.fromkeys(text)
    for letter in letters:
        if (ord(letter) > LATIN and letter not in SIGNS) or letter in UNKNOWN:
            return f"% pdfLaTeX has no {letter}: use XeLaTeX or LuaLaTeX, and a font that has it."
    found = next((letter for letter in letters if letter in T1), "")
    return f"% Needs \\usepackage[T1]{{fontenc}}, which has {found}." if found else ""


def _float(table: ArmTable, parts: Sequence[range], caption: str, label: str) -> str:
    """A table that LaTeX may move, with its parts below each other."""
    lines = [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{4pt}",
        f"  \\caption{{{caption}}}",
        f"  \\label{{{label}}}",
    ]
    for columns in parts:
        # LaTeX leaves no room below a caption that stands above its table.
        lines += [r"  \par\medskip", *_tabular(table, columns)]
    return "\n".join([*lines, r"\end{table}"])


def _long(table: ArmTable, columns: range, caption: str) -> str:
    """A part of a table that is longer than a page: its head stands on each of them."""
    head, *rows = _rows(table, columns)
    lines = [
        r"{\footnotesize\setlength{\tabcolsep}{4pt}",
        f"\\begin{{longtable}}{{l{'r' * len(columns)}}}",
        *filter(None, [caption]),
        *(r"    \toprule", head, r"    \endhead"),
        *rows,
        r"    \bottomrule",
        r"\end{longtable}}",
    ]
    return "\n".join(lines)


PAGE = 45  # rows of a table that is broken over pages where it has more
LATIN, SIGNS = 0x17F, "‘’“”‚„…–—†‡•‰€™"  # up to where pdfLaTeX knows letters, and signs beyond
UNKNOWN, T1 = "ĦħĸĿŀŉŦŧſ", "ĄąĘęĮįŲųÐðÞþĐđŊŋ«»‚„"  # those that it does not, and needs T1 for
FLOAT = 56  # lines of a page in the size of footnotes
LINE = 76  # characters of a table's row, in the size of footnotes, with two for each gap


def _columns_that_fit(table: ArmTable) -> list[range]:
    """The columns of entries, parted so that each part fits into a line beside the arms' names."""
    first = max(len(word) for word in (table.header[0], *(row.label for row in table.rows)))
    parts, start, used = [], 0, first
    for column, head in enumerate(table.header[1:]):
        entries = (row.entries[column].text for row in table.rows)
        wide = 2 + max(map(len, (*_lines(head), *entries)))
        if used + wide > LINE and column > start:
            parts.append(range(start, column))
            start, used = column, first
        used += wide
    return [*parts, range(start, len(table.header) - 1)]


def _lines(head: str) -> list[str]:
    """The head of a column in two lines, where it ends in a question."""
    for title in TITLES.values():
        before, found, after = head.partition(f", {title}")
        if found:
            return [before, f"{title}{after}"]
    return [head]


def _head(head: str) -> str:
    lines = [escape_latex(line) for line in _lines(head)]
    return lines[0] if len(lines) == 1 else "\\shortstack[r]{" + r" \\ ".join(lines) + "}"


def _tabular(table: ArmTable, columns: range) -> list[str]:
    return [
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"    \toprule",
        *_rows(table, columns),
        r"    \bottomrule",
        r"  \end{tabular}",
    ]


def _rows(table: ArmTable, columns: range) -> list[str]:
    """The head and the rows, by group."""
    header = [table.header[0], *(table.header[1 + column] for column in columns)]
    lines = [f"    {' & '.join(map(_head, header))} \\\\"]
    groups = table.groups()
    for title, rows in groups:
        lines.append(r"    \midrule")
        if len(groups) > 1:
            words = f"\\emph{{{escape_latex(title)}}}"
            lines.append(f"    \\multicolumn{{{1 + len(columns)}}}{{l}}{{{words}}} \\\\")
        for row in rows:
            entries = [row.entries[column] for column in columns]
            cells = [escape_latex(row.label), *map(_latex_entry, entries)]
            lines.append(f"    {' & '.join(cells)} \\\\")
    return lines


def _latex_entry(entry: Entry) -> str:
    text = escape_latex(entry.text)
    return f"\\textbf{{{text}}}" if entry.best else text
