"""Excel workbooks, written here by hand after ECMA-376."""

from __future__ import annotations

import zipfile

import pytest

from medfl.datasets.tables import read_table
from medfl.errors import MedflError

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = f"""<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>
<sheet name="patients" sheetId="7" r:id="rId2"/><sheet name="other" sheetId="1" r:id="rId1"/>
</sheets></workbook>"""
LINKS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>
<Relationship Id="rId2" Target="worksheets/sheet2.xml"/></Relationships>"""
STRINGS = f"""<sst {MAIN}><si><t>File name</t></si><si><r><t>Patient</t></r><r><t> ID</t></r></si>
<si><t>a, b.png</t></si><si><t>Größe</t><rPh><t>x</t></rPh></si></sst>"""
SHEET = f"""<worksheet {MAIN}><sheetData>
<row r="1"><c r="A1" t="s"><v>0</v></c><c t="s"><v>1</v></c><c r="D1" t="s"><v>3</v></c></row>
<row r="2"><c r="A2" t="s"><v>2</v></c><c r="D2"><v>41</v></c></row>
<row r="3"><c r="A3" t="inlineStr"><is><t>c.png</t></is></c><c r="B3" t="str"><v>P 2</v></c></row>
</sheetData></worksheet>"""


def workbook(path, **changes):
    members = {
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": LINKS,
        "xl/sharedStrings.xml": STRINGS,
        "xl/worksheets/sheet1.xml": f"<worksheet {MAIN}/>",
        "xl/worksheets/sheet2.xml": SHEET,
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


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"xl/workbook.xml": f"<workbook {MAIN}/>"}, "not an Excel workbook that can be read"),
        ({"xl/workbook.xml": None}, "not an Excel workbook that can be read"),
        ({"xl/worksheets/sheet2.xml": "<worksheet"}, "not an Excel workbook that can be read"),
        ({"xl/sharedStrings.xml": f"<sst {MAIN}/>"}, "not an Excel workbook that can be read"),
        ({"../evil.xml": "x"}, "would be written outside the folder"),
    ],
)
def test_broken_workbooks(tmp_path, changes, match):
    path = workbook(tmp_path / "a.xlsx", **changes)
    with pytest.raises(MedflError, match=rf"a\.xlsx.*{match}"):
        read_table(path)


def test_no_workbook(tmp_path):
    with pytest.raises(MedflError, match=r"a\.xlsx does not exist"):
        read_table(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").write_text("a,b\n1,2\n")
    with pytest.raises(MedflError, match="not a sound zip file"):
        read_table(tmp_path / "a.xlsx")
