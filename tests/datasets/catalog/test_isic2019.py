"""ISIC 2019 and the centres of Fed-ISIC2019."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medfl.datasets.prepare import prepare
from medfl.errors import MedflError
from medfl.store import Store

CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
# image, class, lesion, HAM10000's source, centre, FLamby's fold
ROWS = [
    ("ISIC_0000001", "NV", "", "", "unknown", ""),
    ("ISIC_0000017_downsampled", "MEL", "MSK4_0000001", "", "MSK", "train"),
    ("ISIC_0024306", "NV", "HAM_0000550", "vidir_molemax", "HAM_vidir_molemax", "train"),
    ("ISIC_0024307", "BKL", "HAM_0003577", "rosendahl", "HAM_rosendahl", "test"),
    ("ISIC_0053453", "SCC", "BCN_0000001", "", "BCN", "train"),
    ("ISIC_0053454", "SCC", "BCN_0000001", "", "BCN", "train"),
]
NUMBERS = {"BCN": 0, "HAM_vidir_molemax": 1, "HAM_rosendahl": 3, "MSK": 4}


def isic(root, ham=True, split=False, names=None, suffix="jpg"):
    base = root / "isic2019"
    folder = base / "ISIC_2019_Training_Input"
    folder.mkdir(parents=True)
    truth, meta, sources, federation = [], [], [], []
    for k, (name, label, lesion, source, centre, fold) in enumerate(ROWS):
        image = Image.new("RGB", (20, 15), (40 * k, 0, 0))
        image.save(folder / f"{(names or {}).get(name, name)}.{suffix}", "JPEG")
        truth.append(",".join([name, *("1.0" if label == one else "0.0" for one in CLASSES)]))
        meta.append(f"{name},{50 + k},torso,{lesion},male")
        if source:
            sources.append(f"{lesion},{name},nv,{source}")
        if centre in NUMBERS:
            federation.append(f"{name},{NUMBERS[centre]},{fold},{fold}_{NUMBERS[centre]}")
    write(base / "ISIC_2019_Training_GroundTruth.csv", f"image,{','.join(CLASSES)}", truth)
    write(
        base / "ISIC_2019_Training_Metadata.csv",
        "image,age_approx,anatom_site_general,lesion_id,sex",
        meta,
    )
    if ham:
        (root / "ham10000").mkdir()
        table = root / "ham10000" / "HAM10000_metadata"
        write(table, "lesion_id,image_id,dx,dataset", sources)
    if split:
        table = base / "fed_isic2019_train_test_split.csv"
        write(table, "image,center,fold,fold2", federation)
    return base


def write(path, header, lines):
    path.write_text("\n".join([header, *lines]) + "\n")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def prepared(tmp_path, name="isic2019", **options):
    return Store.open(prepare(f"{name}-8", tmp_path, tmp_path / "work", **options))


@pytest.mark.parametrize(("ham", "split"), [(True, False), (False, True), (True, True)])
def test_centres_from_either_source(tmp_path, ham, split):
    isic(tmp_path, ham, split)
    store = prepared(tmp_path)
    assert list(store.ids) == [row[0] for row in ROWS]
    assert list(store.sites) == [row[4] for row in ROWS]
    assert [store.info.classes[k] for k in store.labels] == [row[1] for row in ROWS]
    assert store.info.classes == CLASSES[:8]
    assert list(store.groups) == [row[2] or row[0] for row in ROWS]
    assert list(store.attributes["age"]) == [str(50 + k) for k in range(6)]
    assert set(store.folds) == {""}


def test_fed_isic2019_leaves_out_what_has_no_centre(tmp_path):
    isic(tmp_path, split=True)
    store = prepared(tmp_path, "fed-isic2019")
    assert list(store.sites) == [row[4] for row in ROWS[1:]]
    assert list(store.folds) == [row[5] for row in ROWS[1:]]
    assert store.info.name == "fed-isic2019"


def test_folds_that_cut_a_lesion(tmp_path, capsys):
    base = isic(tmp_path, split=True)
    edit(base / "fed_isic2019_train_test_split.csv", "ISIC_0053454,0,train", "ISIC_0053454,0,test")
    store = prepared(tmp_path, "fed-isic2019")
    assert set(store.folds) == {""}
    assert list(store.attributes["flamby_fold"]) == ["train", "train", "test", "train", "test"]
    assert "LEAK in FLamby's folds: 1 groups (2 images)" in capsys.readouterr().err


def test_centres_of_ham10000_that_cannot_be_told_apart(tmp_path, capsys):
    isic(tmp_path, ham=False)
    store = prepared(tmp_path)
    assert list(store.sites) == ["unknown", "MSK", "HAM", "HAM", "BCN", "BCN"]
    assert "put HAM10000_metadata or FLamby's" in capsys.readouterr().err
    with pytest.raises(MedflError, match=r"cannot be told apart.*put HAM10000_metadata"):
        prepared(tmp_path, "fed-isic2019")


def test_a_copy_without_the_suffix_downsampled(tmp_path):
    names = {"ISIC_0000017_downsampled": "ISIC_0000017"}
    base = isic(tmp_path, names=names, suffix="JPEG")
    inner = base / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input"
    inner.mkdir()
    for image in list(inner.parent.glob("*.JPEG")):
        image.rename(inner / image.name)
    assert list(prepared(tmp_path).ids) == [row[0] for row in ROWS]


def test_unk_is_a_class_where_it_occurs(tmp_path):
    base = isic(tmp_path)
    edit(
        base / "ISIC_2019_Training_GroundTruth.csv",
        "ISIC_0000001,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0",
        "ISIC_0000001,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0",
    )
    assert prepared(tmp_path).info.classes == CLASSES


@pytest.mark.parametrize(
    ("table", "old", "new", "match"),
    [
        ("GroundTruth", "_0000001,0.0", "_0000001,1.0", "line 2: ISIC_0000001 has 2 classes"),
        ("GroundTruth", "_0000001,0.0,1.0", "_0000001,0.0,0", "0 classes .*no column holds a 1"),
        ("GroundTruth", "_0000001,0.0", "_0000001,x", "line 2: `x` under MEL is not 0 or 1"),
        ("GroundTruth", "_0000001,0.0,1.0", "_0000001,0.0,nan", "`nan` under NV is not 0 or 1"),
        ("GroundTruth", "_0000001,0.0,1.0", "_0000001,0.0,0.5", "`0.5` under NV is not 0 or 1"),
        ("GroundTruth", "SCC", "SKK", "lacks the column `SCC`"),
        ("GroundTruth", "ISIC_0024307,", "ISIC_0024306,", "its `image` stands in line"),
        ("Metadata", "lesion_id", "lesion", "lacks the column `lesion_id`"),
        ("Metadata", "ISIC_0024307,", "ISIC_0099999,", "no row of ISIC_0024307"),
        ("Metadata", "BCN_0000001", "XYZ_0000001", "line 6: the lesion_id `XYZ_0000001` is of no"),
    ],
)
def test_bad_tables(tmp_path, table, old, new, match):
    edit(isic(tmp_path) / f"ISIC_2019_Training_{table}.csv", old, new)
    with pytest.raises(MedflError, match=match):
        prepared(tmp_path)


@pytest.mark.parametrize("centre", ["6", "-1", "inf", "nan", "1.5", ""])
def test_a_bad_centre_in_the_split(tmp_path, centre):
    """-1 must not count from the end of the list."""
    table = isic(tmp_path, split=True) / "fed_isic2019_train_test_split.csv"
    edit(table, ",4,", f",{centre},")
    with pytest.raises(MedflError, match=f"the center `{centre}` is none of 0 to 5"):
        prepared(tmp_path)


def test_real_tables_with_the_images_of_ham10000(real_data, tmp_path):
    """Every tenth image of HAM10000 linked in; centres by our rule are those of FLamby's file."""
    base = tmp_path / "data" / "isic2019"
    folder = base / "ISIC_2019_Training_Input"
    folder.mkdir(parents=True)
    for table in ("GroundTruth", "Metadata"):
        name = f"ISIC_2019_Training_{table}.csv"
        (base / name).symlink_to(real_data / "isic2019" / name)
    images = sorted((real_data / "ham10000").glob("*part*/*.jpg"))[::10]
    for image in images:
        (folder / image.name).symlink_to(image)
    (base / "HAM10000_metadata").symlink_to(real_data / "ham10000" / "HAM10000_metadata")
    path = prepare("fed-isic2019-8", tmp_path / "data", tmp_path / "work", allow_partial=True)
    store = Store.open(path)
    assert len(store) == len(images) == 1002
    assert "(part: 1,002 of 23,247 images)" in store.info.title
    import pandas

    split = pandas.read_csv(real_data / "isic2019" / "fed_isic2019_train_test_split.csv")
    centre = split.set_index("image").center.reindex(store.ids).to_numpy()
    pairs = {(int(number), str(site)) for number, site in zip(centre, store.sites, strict=True)}
    assert pairs == {
        (1, "HAM_vidir_molemax"),
        (2, "HAM_vidir_modern"),
        (3, "HAM_rosendahl"),
        (5, "HAM_vienna_dias"),
    }


def test_real_centres_of_all_rows(real_data, tmp_path):
    """All 25,331 rows, without images: FLamby's counts of its six centres (its README)."""
    from medfl.datasets.base import Places
    from medfl.datasets.catalog.isic_centres import find_centres
    from medfl.datasets.raw_folder import look_into
    from medfl.datasets.registry import get
    from medfl.datasets.tables import read_table

    base = tmp_path / "tables"
    base.mkdir()
    (base / "HAM10000_metadata").symlink_to(real_data / "ham10000" / "HAM10000_metadata")
    entry = get("isic2019")
    path = real_data / "isic2019" / "ISIC_2019_Training_Metadata.csv"
    labels, classes = entry._labels(path.with_name("ISIC_2019_Training_GroundTruth.csv"))
    columns = ("age_approx", "sex", "anatom_site_general")
    rows = read_table(path, ("image", "lesion_id"), columns).by_id("image")
    origin = find_centres(Places(tmp_path, tmp_path), look_into(base))
    samples = [entry._sample(name, labels[name], rows[name], origin, path) for name in labels]
    sites, counts = np.unique([sample.site for sample in samples], return_counts=True)
    assert dict(zip(sites.tolist(), counts.tolist(), strict=True)) == {
        "BCN": 9930 + 2483,
        "HAM_vidir_molemax": 3163 + 791,
        "HAM_vidir_modern": 2691 + 672,
        "HAM_rosendahl": 1807 + 452,
        "MSK": 655 + 164,
        "HAM_vienna_dias": 351 + 88,
        "unknown": 2084,
    }
    assert len(classes) == 8
