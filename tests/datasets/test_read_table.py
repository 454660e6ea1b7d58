import pytest

from medfl.datasets.tables import read_table
from medfl.errors import MedflError


def table(tmp_path, content, encoding="utf-8", **options):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode(encoding))
    return read_table(path, **options)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings(tmp_path, mark, encoding):
    text = f"Id{mark} Name\n1{mark}Zoë\n\n2{mark}\n"
    found = table(tmp_path, text, encoding, required=["id", "name"])
    assert found.columns == ("id", "name")
    assert [(row.line, row["id"], row["name"]) for row in found] == [(2, "1", "Zoë"), (4, "2", "")]


def test_quotes_trailing_delimiters_and_short_rows(tmp_path):
    found = table(tmp_path, 'a,b,,\n"x, y",2,,\n3\n', required=["a"])
    assert [(row["a"], row["b"]) for row in found] == [("x, y", "2"), ("3", "")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("labels,b\n", "no rows"),
        ("label,b\n1,2\n", r"lacks the column `labels`; did you mean `label`\?"),
        ("labels,b,b\n1,2,3\n", "`b` stands there twice"),
        ("labels,b\n1,2,3\n", r"line 2: 3 cells under 2 columns"),
        ("labels\0,b\n", "not a text table"),
        ("Huber,Huber,labels\n1,2,3\n", "the column `…` stands there twice"),
        ("1.png,Huber\n2.png,Stein\n", "its first line is data"),
        ("x,Huber,sick\ny,Stein,sick\n", "its first line is data"),
        ("x,Huber,1957-03-13\ny,Stein,1960-01-01\n", "its first line is data"),
        ("Huber,age\nStein,70\n", "lacks the column `labels`; known: age"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, message):
    with pytest.raises(MedflError, match=rf"t\.csv.*{message}"):
        table(tmp_path, content, required=["labels"])


def test_a_missing_table(tmp_path):
    with pytest.raises(MedflError, match="does not exist"):
        read_table(tmp_path / "no.csv")


def test_ids_that_are_empty_or_stand_twice(tmp_path):
    found = table(tmp_path, "id\nx\ny\nx\n")
    with pytest.raises(MedflError, match=r"line 4: its `id` stands in line 2 already"):
        found.by_id("id")
    assert list(table(tmp_path, "id,n\nx,1\ny,2\n").by_id("id")) == ["x", "y"]
    with pytest.raises(MedflError, match="line 3: its `id` is empty"):
        table(tmp_path, "id,n\nx,1\n,2\n").by_id("id")
