"""Tables of splits that come from others: spreadsheets, hospitals by name, and mistakes."""

from __future__ import annotations

import pytest

from medfl.errors import MedflError
from medfl.partition.rows import read_rows


def read(tmp_path, text: str | bytes):
    path = tmp_path / "split.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read_rows(path)
    return table.samples, table.clients.tolist(), table.folds, table.names


PLAIN = (["a", "b", "c"], [0, 1, 0], ["train", "val", "test"], ())


@pytest.mark.parametrize(
    "text",
    [
        "sample,client,fold\na,0,train\nb,1,val\nc,0,test\n",
        "sample,client,fold\r\na,0,train\r\nb,1,val\r\nc,0,test\r\n\r\n",
        b"\xef\xbb\xbfsample,client,fold\na,0,train\nb,1,val\nc,0,test",
        "fold;age;sample;client\ntrain;3;a;0\nval;4;b;1\ntest;;c;0\n",
        "Sample\tClient\tFold\na\t0\ttrain\nb\t1\tval\nc\t0\ttest\n",
        'sample,client,fold,note\n"a",0,train,"x, y"\nb , 1,val,\nc,0,test,\n,,,\n',
    ],
)
def test_the_ways_in_which_programs_save_a_table(tmp_path, text):
    assert read(tmp_path, text) == PLAIN


def test_hospitals_by_name_are_numbered_in_alphabetical_order(tmp_path):
    found = read(tmp_path, "sample,client,fold\na,Ulm,train\nb,Bern 2,val\nc,Ulm,test\n")
    assert found[1] == [1, 0, 1]
    assert found[3] == ("Bern 2", "Ulm")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("b,Ulm,val", "line 3: its client is a name, but that of line 2 is not"),
        (
            "b,2,val",
            "client 1 holds no sample, but one of a larger number does",
        ),
        ("b,1,dev", "line 3: expected sample, client"),
        (",1,val", "line 3: expected sample, client"),
        ("b,,val", "line 3: expected sample, client"),
        ("b,1.0,val", "line 3: expected sample, client"),
        ('b,1,"val', "it is not a CSV file"),
    ],
)
def test_a_mistake_is_named_by_its_line_and_quotes_no_cell(tmp_path, row, words):
    with pytest.raises(MedflError, match=words) as error:
        read(tmp_path, f"sample,client,fold\na,0,train\n{row}\n")
    assert "Ulm" not in str(error.value)


def test_what_is_no_text(tmp_path):
    with pytest.raises(MedflError, match="is not a CSV file in UTF-8"):
        read(tmp_path, "sample,client,fold\na,0,train\n".encode("utf-16"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MedflError, match=r"folder\.csv cannot be read"):
        read_rows(tmp_path / "folder.csv")
