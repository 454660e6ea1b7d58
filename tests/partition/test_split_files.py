"""Splits on disk: read back as written, checked against the store, all or nothing."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from medfl.errors import MedflError
from medfl.partition import Split, make_split, write_split
from medfl.partition.picture import draw_split
from medfl.partition.rows import read_rows


@pytest.fixture
def store(make_patients):
    return make_patients(0, 60, 3, sites=3)


@pytest.fixture
def table(store, tmp_path):
    path = tmp_path / "splits" / "fake" / "dirichlet-0.5" / "seed4.csv"
    write_split(store, "dirichlet-0.5", 4, 4, path)
    return path


def test_three_files_and_the_same_split_again(store, table):
    names = ["seed4.csv", "seed4.heterogeneity.json", "seed4.png"]
    assert sorted(path.name for path in table.parent.iterdir()) == names
    made, read = make_split(store, "dirichlet-0.5", 4, 4), Split.read(table, store)
    for name in ("samples", "clients", "folds"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    for name in ("partition", "seed", "num_clients", "moved", "client_names"):
        assert getattr(read, name) == getattr(made, name)
    lines = table.read_text().splitlines()
    assert lines[0] == "sample,client,fold"
    assert lines[1] == f"s000000,{made.clients[0]},{made.folds[0]}"
    record = json.loads((table.parent / names[1]).read_text())
    assert record["folds"]["train"] == len(made.pooled("train"))
    assert Image.open(table.parent / names[2]).size[0] > 400


def test_the_same_bytes_each_time(store, table, tmp_path):
    again = tmp_path / "again" / "seed4.csv"
    write_split(store, "dirichlet-0.5", 4, 4, again)
    for path in table.parent.iterdir():
        assert path.read_bytes() == (again.parent / path.name).read_bytes(), path.name


def test_site_names_survive_the_way_through_a_file(store, tmp_path):
    path = tmp_path / "mine.csv"
    write_split(store, "site", None, 0, path)
    assert Split.read(path, store).client_names == ("site0", "site1", "site2")
    # Where the table is another, nobody knows whose names these are.
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[::-1]]) + "\n")
    assert Split.read(path, store).client_names == ()


def test_without_the_record_the_path_tells_the_scheme(store, table):
    table.with_suffix(".heterogeneity.json").unlink()
    read = Split.read(table, store)
    assert (read.partition, read.seed, read.num_clients) == ("dirichlet-0.5", 4, 4)
    nameless = table.rename(table.parent / "mine.csv")
    with pytest.raises(MedflError, match="tells its partition and seed"):
        Split.read(nameless, store)


def _change(table, old, new):
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))


def test_samples_that_are_not_the_stores(store, table):
    _change(table, "s000007,", "other7,")
    with pytest.raises(MedflError, match=r"line 9: its sample is not in data/prepared/fake"):
        Split.read(table, store)


def test_a_sample_missing_or_twice(store, table):
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:5] + lines[6:]))
    with pytest.raises(
        MedflError, match=r"lacks 1 of the \d+ samples of .*fake, such as `s000004`"
    ):
        Split.read(table, store)
    table.write_text("".join([*lines, lines[3]]))
    with pytest.raises(MedflError, match="sample `s000002` stands there twice"):
        Split.read(table, store)


def test_a_spreadsheets_way_of_saving_is_read(store, table):
    expected = Split.read(table, store)
    text = table.read_text().replace("\n", "\r\n")
    table.write_bytes(b"\xef\xbb\xbf" + text.encode())
    np.testing.assert_array_equal(Split.read(table, store).clients, expected.clients)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with a line that names its columns `sample,client,fold`"),
        ("sample,client\ns000000,1\n", "must begin with a line"),
        ("sample client fold\n", "must begin with a line"),
        ("sample,client,fold,client\n", "each once"),
        ("sample;client;fold\n", "holds no sample"),
        ("sample,client,fold\n", "holds no sample"),
    ],
)
def test_a_table_that_is_no_split(store, table, text, message):
    table.write_text(text)
    with pytest.raises(MedflError, match=message):
        Split.read(table, store)


def test_a_table_that_was_cut_off(store, table):
    table.write_text(table.read_text()[:500].rsplit(",", 1)[0])
    with pytest.raises(MedflError, match=r"line \d+: expected sample, client "):
        Split.read(table, store)


@pytest.mark.parametrize("record", ["[]", "{}", '{"partition": "iid", "seed": 0, "moved": "x"}'])
def test_a_record_that_is_none(store, table, record):
    table.with_suffix(".heterogeneity.json").write_text(record)
    with pytest.raises(MedflError, match=r"is not a heterogeneity record.*make the split again"):
        Split.read(table, store)


@pytest.mark.parametrize("output", ["seed0", "seed0.png", "folder.csv", ""])
def test_an_output_that_is_no_table(store, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(MedflError, match="must name the split's table"):
        write_split(store, "iid", 3, 0, output)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize(
    "row",
    [
        "s000003,1",
        "s000003,one,train",
        "s000003,-1,val",
        "s000003,1,dev",
        "s000003,1.0,val",
        "s000003,\N{ARABIC-INDIC DIGIT ONE},val",
    ],
)
def test_a_malformed_row(store, table, row):
    lines = table.read_text().splitlines()
    lines[4] = row
    table.write_text("\n".join(lines))
    with pytest.raises(MedflError, match=r"line 5: (expected sample, client|its client is a name)"):
        Split.read(table, store)


def test_other_damage(store, table, tmp_path):
    with pytest.raises(MedflError, match="does not exist: make it with `medfl split`"):
        Split.read(tmp_path / "none.csv", store)
    table.with_suffix(".heterogeneity.json").write_text("{")
    with pytest.raises(MedflError, match="is not a heterogeneity record"):
        Split.read(table, store)
    _change(table, "sample,client,fold", "id,client,fold")
    with pytest.raises(MedflError, match="must begin with a line that names its columns"):
        Split.read(table, store)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MedflError, match="is not a CSV file"):
        Split.read(table, store)


def test_a_group_in_two_folds(store, table):
    groups, number = np.unique(store.groups, return_counts=True)
    row = np.flatnonzero(store.groups == groups[number.argmax()])[1]
    lines = table.read_text().splitlines()
    fold = lines[row + 1].rsplit(",", 1)[1]
    lines[row + 1] = lines[row + 1].replace(fold, "test" if fold == "train" else "train")
    table.write_text("\n".join(lines))
    with pytest.raises(MedflError, match=re.escape(f"such as `{groups[number.argmax()]}` in")):
        Split.read(table, store)


def test_a_gap_in_the_clients(store, table):
    table.write_text(re.sub(r",1,", ",9,", table.read_text()))
    with pytest.raises(MedflError, match="client 1 holds no sample, but one of a larger"):
        Split.read(table, store)


def test_nothing_is_left_of_a_split_that_fails(store, tmp_path, monkeypatch):
    def fail(record, path):
        draw_split(record, path)
        raise OSError(28, "No space left on device")

    path = tmp_path / "splits" / "seed0.csv"
    monkeypatch.setattr("medfl.partition.picture.draw_split", fail)
    with pytest.raises(MedflError, match="no space left while writing"):
        write_split(store, "iid", 3, 0, path)
    with pytest.raises(MedflError, match="clients are more than"):
        write_split(store, "iid", 300, 0, path)
    assert list(path.parent.iterdir()) == []


def test_unknown_fold_or_client(store):
    split = make_split(store, "iid", 3, 0)
    with pytest.raises(MedflError, match="unknown fold `tset`; did you mean `test`"):
        split.pooled("tset")
    with pytest.raises(MedflError, match="client 3 is not one of 0 to 2"):
        split.indices(3, "train")


@pytest.mark.parametrize("clients", [1, 4, 10, 60])
def test_no_text_of_a_picture_overlaps_another(make_patients, tmp_path, monkeypatch, clients):
    """Every visible text's box, as drawn, against every other, and against the figure's edge."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    store = make_patients(0, 300, 15)
    write_split(store, "iid", clients, 0, tmp_path / "seed0.csv", min_samples=1)
    figure = figures[0]
    assert {label.get_fontsize() for label in figure.axes[1].get_yticklabels()} == {8}
    key = [int(text.get_text().replace(",", "")) for text in figure.axes[2].texts[1:]]
    assert key == sorted(set(key), reverse=True), "the largest bubble stands on top, each once"
    edge = figure.bbox
    hidden = _hidden_labels(figure)
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert len(boxes) > 20
    for index, (name, box) in enumerate(boxes):
        assert box.x0 >= 0, name
        assert box.y0 >= 0, name
        assert box.x1 <= edge.width, name
        assert box.y1 <= edge.height, name
        for other, another in boxes[index + 1 :]:
            assert not box.overlaps(another), (name, other)


def test_a_cell_of_the_picture_is_no_wider_than_it_is_readable(make_patients, tmp_path):
    """Names take 0.65 inches and 0.085 a letter, the key 1.5, and each of 8 cells 0.55."""
    store = make_patients(0, 300, 10)
    write_split(store, "iid", 8, 0, tmp_path / "seed0.csv", min_samples=1)
    longest = max(map(len, store.info.classes))
    with Image.open(tmp_path / "seed0.png") as picture:
        assert picture.width / 120 == pytest.approx(
            longest * 0.085 + 0.65 + 8 * 0.55 + 1.5, abs=0.02
        )
        # Ten rows of 0.42, bars of 1.25, gaps and titles of 0.15 and 0.62, and 0.6 at the foot.
        assert picture.height / 120 == pytest.approx(4.2 + 1.25 + 0.15 + 0.62 + 0.6, abs=0.02)


def _hidden_labels(figure):
    """Tick labels outside the view or switched off: present in the figure, but not drawn."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not (axes.axison and low <= tick.get_loc() <= high):
                    hidden |= {id(tick.label1), id(tick.label2)}
    return hidden


def test_names_of_another_key_lead_to_the_key(store, tmp_path):
    store.path = tmp_path / "data" / "prepared" / "clinic"
    store.ids = np.array([f"s1-{row:016x}" for row in range(len(store.ids))])
    path = tmp_path / "seed0.csv"
    write_split(store, "iid", 3, 0, path)
    text = path.read_text()
    path.write_text(text.replace("s1-000000000000000", "s1-aaaaaaaaaaaaaaa"))
    with pytest.raises(MedflError, match="with another key of pseudonyms") as error:
        Split.read(path, store)
    for words in (f"{tmp_path}/data/private/pseudonym.key", "MEDFL_KEY", "prepare clinic --force"):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("West NA West East", "1 samples have a client whose name means that nobody knows"),
        ("unknown west NaN West", "2 samples have a client whose name means"),
        ("West west East Nord", "2 names of clients look like 1 that are written in several"),
        ("St-1 St_1 st1 East", "3 names of clients look like 1 that"),
    ],
)
def test_names_of_clients_that_are_none_or_look_like_one(tmp_path, names, message):
    table = tmp_path / "theirs.csv"
    rows = [f"s{number},{name},train" for number, name in enumerate(names.split())]
    table.write_text("\n".join(["sample,client,fold", *rows]))
    with pytest.raises(MedflError, match=message):
        read_rows(table)
