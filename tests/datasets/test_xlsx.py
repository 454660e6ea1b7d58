"""Excel workbooks: one written here by hand after ECMA-376, others by openpyxl."""

from __future__ import annotations

import datetime
import zipfile

import openpyxl
import pytest

from medfl.datasets import xlsx
from medfl.datasets.tables import read_table
from medfl.errors import MedflError

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TYPES = f"""<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="x"/>
<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>
<Override PartName="/xl/sharedStrings.xml" ContentType="{KIND}.sharedStrings+xml"/></Types>"""
WORKBOOK = f"""<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>
<sheet name="patients" sheetId="7" r:id="rId2"/><sheet name="other" sheetId="1" r:id="rId1"/>
</sheets></workbook>"""
LINKS = f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Type="{OFFICE}/worksheet" Target="worksheets/sheet2.xml"/>
</Relationships>"""
STRINGS = f"""<sst {MAIN}><si><t>File name</t></si><si><r><t>Patient</t></r><r><t> ID</t></r></si>
<si><t>a, b.png</t></si><si><t>Größe</t><rPh sb="0" eb="1"><t>x</t></rPh></si></sst>"""
ROWS = """<row r="1"><c r="A1" t="s"><v>0</v></c><c t="s"><v>1</v></c>
<c r="D1" t="s"><v>3</v></c></row>
<row r="2"><c r="A2" t="s"><v>2</v></c><c r="D2"><v>41</v></c></row>
<row r="4"><c r="A4" t="inlineStr"><is><t>c.png</t></is></c>
<c r="B4" t="str"><v>P 2</v></c></row>"""


def sheet(rows=ROWS, dimension="A1:D4"):
    return (
        f'<worksheet {MAIN}><dimension ref="{dimension}"/><sheetData>{rows}</sheetData></worksheet>'
    )


def workbook(path, **changes):
    members = {
        "[Content_Types].xml": TYPES,
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": LINKS,
        "xl/sharedStrings.xml": STRINGS,
        "xl/worksheets/sheet1.xml": f"<worksheet {MAIN}/>",
        "xl/worksheets/sheet2.xml": sheet(),
    } | changes
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if content is not None:
                file.writestr(name, content)
    return path


def test_the_first_sheet(tmp_path):
    table = read_table(workbook(tmp_path / "a.xlsx"), ("file name", "Patient ID"), ("Größe",))
    assert table.columns == ("file name", "Patient ID", "Größe")
    first, second = table
    assert (first["file name"], first["Patient ID"], first["Größe"]) == ("a, b.png", "", "41")
    assert (second["file name"], second["Patient ID"], second["Größe"]) == ("c.png", "P 2", "")
    assert (first.line, second.line) == (2, 4)  # the number beside the row in Excel


@pytest.mark.parametrize("dimension", ["A1", "A1:XFD1048576"])
def test_the_files_own_word_on_its_size_does_not_count(tmp_path, dimension):
    path = workbook(tmp_path / "a.xlsx", **{"xl/worksheets/sheet2.xml": sheet(ROWS, dimension)})
    assert len(read_table(path)) == 2
    assert sum(map(len, xlsx.sheet_rows(path))) < 20


def test_values_become_the_text_that_a_person_sees(tmp_path):
    book = openpyxl.Workbook()
    values = {
        "whole": (7, "7"),
        "whole as float": (7.0, "7"),
        "large": (1e15, "1000000000000000"),
        "fraction": (0.1, "0.1"),
        "text of digits": ("0007", "0007"),
        "date": (datetime.date(2021, 3, 14), "2021-03-14"),
        "moment": (datetime.datetime(2021, 3, 14, 15, 9, 26), "2021-03-14T15:09:26"),
        "time": (datetime.time(15, 9), "15:09:00"),
        "truth": (True, "TRUE"),
        "error": ("#N/A", "#N/A"),
        "empty": (None, ""),
    }
    book.active.append(list(values))
    book.active.append([value for value, _ in values.values()])
    book.save(tmp_path / "a.xlsx")
    (row,) = read_table(tmp_path / "a.xlsx")
    assert {name: row[name] for name in values} == {
        name: text for name, (_, text) in values.items()
    }


def saved(path, *rows, hidden=()):
    """A workbook of one visible sheet with these rows, behind hidden sheets with others."""
    book = openpyxl.Workbook()
    for name in hidden:
        sheet = book.create_sheet(name, index=0)
        sheet.append([name])
        sheet.sheet_state = name
    for row in rows:
        book["Sheet"].append(row)
    book.active = book["Sheet"]
    book.save(path)
    return path


def test_marks_in_a_cell_part_nothing(tmp_path):
    path = saved(tmp_path / "a.xlsx", ["file", "a|b|c|d", "e;f;g;h"], ["x,y;z", '"q" | r', 's"'])
    table = read_table(path, ["file"])
    assert table.columns == ("file", "a|b|c|d", "e;f;g;h")
    assert list(table.rows[0].cells.values()) == ["x,y;z", '"q" | r', 's"']


def test_a_line_is_the_row_that_excel_shows(tmp_path):
    table = read_table(saved(tmp_path / "a.xlsx", ["id", "n\n(in mm)"], ["a\nb", 1], ["c", 2]))
    assert table.columns == ("id", "n\n(in mm)")
    assert [(row.line, row["id"]) for row in table] == [(2, "a\nb"), (3, "c")]


def test_a_cell_beside_the_table(tmp_path):
    path = saved(tmp_path / "a.xlsx", ["id", "n"], ["a", 1], ["b", 2, None, None, "note"])
    with pytest.raises(MedflError, match=r"line 3: 5 cells under 2 columns\. Empty the cells"):
        read_table(path)


def test_a_hidden_sheet_is_not_read(tmp_path):
    path = saved(tmp_path / "a.xlsx", ["id"], ["a"], hidden=("hidden", "veryHidden"))
    assert [sheet.title for sheet in openpyxl.load_workbook(path)] == [
        *("veryHidden", "hidden", "Sheet")
    ]
    assert read_table(path).columns == ("id",)


LAUGHS = f"""<!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<sst {MAIN}><si><t>&b;</t></si></sst>"""


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"[Content_Types].xml": None}, "not an Excel workbook that can be read"),
        ({"xl/workbook.xml": f"<workbook {MAIN}/>"}, "not an Excel workbook that can be read"),
        ({"xl/workbook.xml": None}, "not an Excel workbook that can be read"),
        ({"xl/worksheets/sheet2.xml": "<worksheet"}, "not an Excel workbook that can be read"),
        ({"xl/worksheets/sheet2.xml": sheet(ROWS[:80])}, "not an Excel workbook that can be read"),
        ({"xl/sharedStrings.xml": f"<sst {MAIN}/>"}, "not an Excel workbook that can be read"),
        ({"xl/sharedStrings.xml": LAUGHS}, "EntitiesForbidden"),
        ({"../evil.xml": "x"}, "would be written outside the folder"),
        (
            {"xl/worksheets/sheet2.xml": sheet('<row r="999999999"><c r="A1"><v>1</v></c></row>')},
            "larger than Excel's sheets",
        ),
        (
            {"xl/worksheets/sheet2.xml": sheet('<row><c r="XFD1"><v>1</v></c></row>' * 3000)},
            "almost empty and very wide|swell",
        ),
    ],
)
def test_broken_workbooks(tmp_path, changes, match):
    path = workbook(tmp_path / "a.xlsx", **changes)
    with pytest.raises(MedflError, match=rf"a\.xlsx.*({match})"):
        read_table(path)


def test_no_workbook(tmp_path):
    with pytest.raises(MedflError, match=r"a\.xlsx does not exist"):
        read_table(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(MedflError, match="not a sound zip file"):
        read_table(tmp_path / "a.xlsx")
