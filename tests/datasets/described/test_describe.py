"""A description of two lines makes a store; the table is joined as people write tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import grey

from medfl.datasets.code import dataset_sha
from medfl.datasets.place import store_path
from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.store import Store


def preparation(store: Store) -> dict:
    return json.loads((store.path / "prepare.json").read_text())


def patients(store: Store) -> list[str]:
    """Whose each image is, by the numbers of the pseudonyms."""
    return [group.split("-")[0] for group in store.groups]


def four(folder: str = "xray") -> None:
    for number, value in enumerate((10, 200, 30, 220)):
        grey(f"{folder}/i{number}.png", value)


def test_a_folder_of_folders_is_a_dataset(made):
    grey("xray/well/a.png", 200)
    grey("xray/sick/b.png", 10)
    grey("xray/sick/deep/c.png", 20)
    store = made("folder: ../../xray\nsize: 8\npreprocess: {intensity: full, channels: 1}")
    assert store.info.classes == ("sick", "well")
    # In the order of the paths: sick/b, sick/deep/c, well/a; 10 × 8 pixels are padded to 8 × 8,
    # of which the middle column is inside.
    assert store.labels.tolist() == [0, 0, 1]
    assert store.images[:, 0, 4, 4].tolist() == [10, 20, 200]
    assert store.images.shape == (3, 1, 8, 8)
    assert "NO PATIENTS" in preparation(store)["warnings"][0]
    assert len(set(store.groups)) == 3


def test_a_table_with_standard_names(made, capsys):
    four()
    table = "file,label,patient,site\ni0.png,sick,A,north\ni1,well,A,north\ni2,sick,B,south\n"
    table += "i9.png,sick,C,south\n"
    store = made("folder: ../../xray\ntable: labels.csv\nsize: 8", table)
    assert [store.info.classes[k] for k in store.labels] == ["sick", "well", "sick"]
    assert patients(store) == ["p000001", "p000001", "p000002"]
    assert store.sites.tolist() == ["north", "north", "south"]
    record = preparation(store)
    assert record["kept"] == 3
    assert record["excluded_by_reason"] == {
        "the table names it, but there is no such file": 1,
        "no row of the table names it": 1,
    }
    assert "2 left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "table",
    [
        "Path;Diagnosis;PID\nxray/i0.png;sick;7\nxray/i1.png;well;7\n".encode("utf-8-sig"),
        "Path\tDiagnosis\tPID\nxray\\i0.png\tsick\t7\nxray\\i1.png\twell\t7\n".encode("utf-16"),
        "Path,Diagnosis,PID\r\n./xray/i0.png, sick ,7\r\n./xray/i1.png,well,7\r\n".encode("cp1252"),
    ],
)
def test_tables_as_people_have_them(made, table):
    four()
    text = "folder: ../..\nfiles: xray/*.png\ntable: labels.csv\nsize: 8\n"
    text += "columns: {file: path, label: diagnosis, patient: pid}"
    store = made(text, table)
    assert [store.info.classes[k] for k in store.labels] == ["sick", "well"]
    assert patients(store) == ["p000001", "p000001"]


def test_columns_of_ones_and_zeros_are_classes(made):
    four()
    table = "file,edema,effusion,fold,sex\ni0,1,0,train,F\ni1,1.0,1,val,M\n"
    table += "i2,,0,test,F\ni3,-1,1,test,M\n"
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8\n"
    text += "columns: {label: [effusion, edema], attributes: [sex]}\nlabels: {map: {'-1': '0'}}"
    store = made(text, table)
    assert store.info.task == "multilabel"
    assert store.info.classes == ("effusion", "edema")  # in the order that was stated
    assert store.labels.tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert store.folds.tolist() == ["train", "val", "test", "test"]
    assert store.attributes["sex"].tolist() == ["F", "M", "F", "M"]


def test_labels_in_one_cell(made):
    four()
    table = "file,label\ni0,edema|mass\ni1,none\ni2,mass\ni3,\n"
    text = (
        "folder: ../../xray\ntable: labels.csv\nsize: 8\nlabels: {separator: '|', map: {none: ''}}"
    )
    store = made(text, table)
    assert store.info.classes == ("edema", "mass")
    # An empty cell means no label only because something else is mapped to none.
    assert store.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert preparation(store)["excluded_by_reason"] == {"has no label": 1}


def test_labels_are_renamed_ignored_and_ordered(made):
    four()
    table = "file,label\ni0,1\ni1,0\ni2,2\ni3,9\n"
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8\n"
    text += "labels: {classes: [well, sick], map: {0: well, 1: sick, 2: sick}, ignore: [9]}"
    store = made(text, table)
    assert store.info.classes == ("well", "sick")
    assert store.labels.tolist() == [1, 0, 1]
    assert preparation(store)["excluded_by_reason"] == {"has the label `9`, which is ignored": 1}


def test_a_class_that_looks_like_an_empty_cell_is_pointed_out(made, capsys):
    """A table that pandas or R wrote may say NaN or NA where there is no label."""
    rows = [f"{k}.png,{('sick', 'well', 'nan')[k % 3]}" for k in range(6)]
    for k in range(6):
        grey(f"xray/{k}.png", 10 * k)
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8\n"
    store = made(text, "\n".join(["file,label", *rows]))
    assert store.info.classes == ("nan", "sick", "well")
    assert "the label `nan` is taken for a class, though it looks" in capsys.readouterr().err
    store = made(text + "labels: {map: {'nan': ''}}\n")  # as the warning says
    assert store.info.classes == ("sick", "well")
    assert preparation(store)["excluded_by_reason"] == {"has no label": 2}
    assert "looks like an empty cell" not in capsys.readouterr().err


def test_folders_and_names_tell_patient_and_site(made):
    grey("h/north/sick/p7_1.png", 1)
    grey("h/north/well/p7_2.png", 2)
    grey("h/south/sick/p8_1.png", 3)
    grey("h/south/sick/odd.png", 4)
    text = "folder: ../../h\nsize: 8\nlabels: {level: 2}\nsite: {level: 1}\n"
    text += r"patient: {pattern: '/(p\d+)_'}"
    store = made(text)
    assert store.sites.tolist() == ["north", "north", "south"]
    assert patients(store) == ["p000001", "p000001", "p000002"]
    assert store.labels.tolist() == [0, 1, 0]
    assert preparation(store)["excluded_by_reason"] == {"has no patient": 1}


def test_what_cannot_be_decoded_is_left_out_and_listed(made):
    grey("xray/sick/a.png", 1)
    grey("xray/well/b.png", 2)
    Path("xray/well/c.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    Path("xray/well/readme.txt").write_text("hello")
    store = made("folder: ../../xray\nsize: 8")
    assert len(store) == 2
    reasons = preparation(store)["excluded_by_reason"]
    assert sum(reasons.values()) == 2
    assert reasons["is no image, DICOM, NIfTI or npz file"] == 1


def test_arrays(made):
    Path("a/x").mkdir(parents=True)
    Path("a/y").mkdir()
    np.save("a/x/one.npy", np.full((8, 8), 4095, np.uint16))  # of a scanner of 12 bits
    np.savez("a/y/two.npz", image=np.full((8, 8), 0.5, np.float32), mask=np.zeros(3))
    np.save("a/y/three.npy", np.full((3, 8, 8), 255, np.uint8))
    np.savez("a/y/four.npz", a=np.zeros((8, 8)), b=np.zeros((8, 8)))
    np.save("a/y/five.npy", np.array([{"a": 1}]), allow_pickle=True)
    store = made("folder: ../../a\nsize: 8\npreprocess: {intensity: full, channels: 1}")
    # x/one, y/three, y/two; luminance of white is white; 0.5 of [0, 1] is 127.5.
    assert store.images[:, 0, 4, 4].tolist() == [255, 255, 128]
    reasons = " ".join(preparation(store)["excluded_by_reason"])
    assert "holds 2 arrays, none of them called `image`" in reasons
    assert "holds Python objects" in reasons


def test_multi_modal_by_pattern(made):
    for number in range(3):
        grey(f"mr/s{number}_t1.png", 10 + number, (8, 8))
        grey(f"mr/s{number}_flair.png", 100 + number, (8, 8))
    Path("mr/s2_flair.png").unlink()
    text = """
folder: ../../mr
table: labels.csv
size: 8
preprocess: {intensity: full, channels: 1}
modalities: {flair: '{id}_flair.png', t1: '{id}_t1.png'}
"""
    store = made(text, "id,label,patient\ns0,a,1\ns1,b,2\ns2,a,3\ns3,b,4\n")
    assert store.images.shape == (2, 2, 8, 8)
    assert store.images[:, :, 0, 0].tolist() == [[100, 10], [101, 11]]
    assert store.info.channels == ("flair", "t1")
    assert store.info.branches == ()
    assert preparation(store)["excluded_by_reason"] == {
        "lacks the image of modality `flair`": 1,
        "the table names it, but there is no such file": 1,
    }


def test_multi_modal_by_columns_for_late_fusion(made):
    for number in range(2):
        grey(f"d/clinic{number}.png", 50 + number, (8, 8))
        grey(f"d/scope{number}.png", 150 + number, (8, 8))
    text = """
folder: ../../d
table: labels.csv
size: 8
columns: {file: {photo: clinic, scope: dermoscopy}}
modalities: {scope: {modality: xray, preprocess: {crop_borders: false}}, photo: {modality: photo}}
fusion: late
"""
    store = made(text, "clinic,dermoscopy,label\nclinic0,scope0,a\nclinic1,scope1,b\n")
    assert store.info.branches == (3, 1)
    assert store.images[:, :, 4, 4].tolist() == [[50, 50, 50, 150], [51, 51, 51, 151]]
    assert store.info.channels == ("photo/red", "photo/green", "photo/blue", "scope")


def test_an_edit_of_description_or_table_makes_the_store_again(made, capsys):
    four()
    text = "folder: ../../xray\ntable: labels.csv\nsize: 8"
    table = "file,label\ni0,a\ni1,b\n"
    first = made(text, table)
    sha = dataset_sha("mine")
    assert made(text, table).fingerprint() == first.fingerprint()
    assert "made again" not in capsys.readouterr().err
    assert made(text, table + "i2,a\n").images.shape[0] == 3
    assert "description was edited" in capsys.readouterr().err
    assert len({sha, dataset_sha("mine")}) == 2
    assert made(text + "\npreprocess: {channels: 1}", table).images.shape[1] == 1


def test_another_key_changes_the_pseudonyms_only(made, place):
    for label in "ab":
        for number in range(2):
            grey(f"xray/{label}/{number}.png", 100, (8, 8))
    first = made("folder: ../../xray\nsize: 8")
    other = Store.open(prepare("mine", work_root=place / "elsewhere"))
    assert other.info.images_sha256 == first.info.images_sha256
    assert set(other.ids).isdisjoint(first.ids)  # another key


def test_paths_and_sizes_name_datasets_too(made, place):
    four()
    table = "file,label\ni0,a\ni1,b\n"
    made("folder: ../../xray\ntable: labels.csv\nsize: 8", table)
    path = "params/datasets/mine.yaml"
    assert store_path(path) == Path("data/prepared/mine")
    assert Store.open(prepare("mine-12")).images.shape[-1] == 12
    assert Store.open(prepare(path, size=16)).path == Path("data/prepared/mine-16")
    with pytest.raises(MedflError, match="from 8 to 2048"):
        prepare("mine-4")
