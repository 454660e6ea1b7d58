"""Whose each sample is: over sites, issuers and spellings; who is unknown is nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from dicoms import write
from pictures import grey

from medfl.datasets.described.custom import CustomMedicalDataset
from medfl.datasets.described.fact_sections import PatientRules
from medfl.datasets.described.whose import ELSEWHERE, NO_SITE, Told, settle_patients
from medfl.errors import MedflError
from medfl.loader import MedicalDataLoader
from medfl.partition import Split, make_split

HEAD = "folder: ../../raw\ntable: labels.csv\nsize: 8\n"


def patient(**rules):
    return PatientRules.model_validate(rules)


def told(*pairs):
    return [Told(*pair) for pair in pairs]


def table(rows, columns="file,label,patient,site"):
    """A table of such rows, and its pictures, a grey of its own each."""
    for number, _ in enumerate(rows):
        grey(f"raw/{number:02}.png", 5 * number, (8, 8))
    lines = [f"{number:02}.png,{'ab'[number % 2]},{row}" for number, row in enumerate(rows)]
    return "\n".join([columns, *lines]) + "\n"


def warnings(store):
    return json.loads((store.path / "prepare.json").read_text())["warnings"]


def partition_of(names):
    """Which rows are of one patient: their numbers by first appearance."""
    seen = {}
    return [seen.setdefault(name, len(seen)) for name in names]


# Ids at several sites

NUMBERED = told(("1", "N"), ("1", "N"), ("1", "S"), ("2", "S"), ("3", "N"), ("", "N"))


def test_an_id_at_two_sites_is_undecided():
    whose = settle_patients(NUMBERED, patient(), "here")
    assert whose.undecided == 1
    assert partition_of(whose.names) == [0, 0, 0, 1, 2, 3]
    assert whose.left == {}
    assert whose.warnings[0].startswith(
        "1 patients (3 samples) have an id that occurs at more than"
    )


def test_sites_that_number_their_own_have_a_patient_each():
    whose = settle_patients(NUMBERED, patient(ids="by_site"), "here")
    assert partition_of(whose.names) == [0, 0, 1, 2, 3, 4]
    assert (whose.undecided, whose.left, whose.warnings) == (0, {}, [])


def test_without_a_site_nobody_knows_whose_a_number_is():
    given = told(("1", "N"), ("1", ""), ("", ""))
    whose = settle_patients(given, patient(ids="by_site"), "here")
    assert whose.left == {1: NO_SITE}
    assert whose.kept == [0, 2]
    with pytest.raises(MedflError, match="here: `ids: by_site` needs a site for each sample"):
        settle_patients(told(("1", ""), ("2", "")), patient(ids="by_site"), "here")


def test_shared_ids_are_one_patient_whose_second_sites_are_counted():
    whose = settle_patients(NUMBERED, patient(ids="shared"), "here")
    assert partition_of(whose.names) == [0, 0, 0, 1, 2, 3]
    assert (whose.undecided, whose.left) == (0, {})
    assert "1 patients are at more than one site: 1 samples are not at" in whose.warnings[0]
    left = settle_patients(NUMBERED, patient(ids="shared", second_site="leave_out"), "here")
    assert left.left == {2: ELSEWHERE}
    assert partition_of(left.without_left().names) == [0, 0, 1, 2, 3]


def test_where_both_sites_have_as_many_the_first_in_the_alphabet_is_the_patients():
    given = told(("1", "S"), ("1", "N"), ("1", ""))
    left = settle_patients(given, patient(ids="shared", second_site="leave_out"), "here")
    assert left.left == {0: ELSEWHERE}  # as a partition by site deals them


def test_one_site_in_two_spellings_is_no_second_one():
    whose = settle_patients(told(("1", "St. Mary"), ("1", "ST MARY")), patient(), "here")
    assert (whose.undecided, whose.warnings) == (0, [])


def test_an_issuer_says_who_is_one_person():
    ward, other = "WARD", "OTHER"
    one = told(("1", "N", ward), ("1", "S", ward))
    whose = settle_patients(one, patient(), "here")
    assert (whose.undecided, partition_of(whose.names)) == (0, [0, 0])
    assert "1 patients are at more than one site" in whose.warnings[0]
    two = told(("1", "N", ward), ("1", "N", other), ("1", "N", ""), ("2", "N", ward))
    whose = settle_patients(two, patient(), "here")
    assert partition_of(whose.names) == [0, 1, 2, 3]
    assert "1 ids of patients were given by several issuers" in whose.warnings[0]
    some = told(("1", "N", ward), ("1", "S", ""))
    assert settle_patients(some, patient(), "here").undecided == 1


def test_an_examination_at_both_sites_is_told():
    given = told(("1", "N", "", "1.2"), ("1", "S", "", "1.2"), ("2", "N", "", "1.3"))
    assert (
        "(1 of them with one examination at both)"
        in (settle_patients(given, patient(), "here").warnings[0])
    )


@pytest.mark.parametrize("site", ["site", "site-dirichlet-0.5", "iid"])
def test_a_store_of_undecided_ids_is_not_split(made, site):
    rows = [f"{number % 10},{'NS'[number // 10]}" for number in range(20)]
    store = made(HEAD, table(rows))
    assert store.info.undecided_patients == 10
    assert any("10 patients (20 samples) have an id that" in line for line in warnings(store))
    with pytest.raises(MedflError, match="10 patients have an id that occurs at more than one si"):
        make_split(store, site, None if site == "site" else 2, 0)


def test_each_sample_is_with_its_site_where_ids_are_by_site(made):
    rows = [f"{number % 10},{'NS'[number // 10]}" for number in range(20)]
    store = made(HEAD + "patient: {ids: by_site}\n", table(rows))
    assert store.info.undecided_patients == 0
    assert "undecided" not in (store.path / "dataset.yaml").read_text()
    assert len(set(store.groups)) == 20
    split = make_split(store, "site", None, 0, min_samples=1)
    assert split.clients.tolist() == [0] * 10 + [1] * 10
    assert split.divided.counts == {}


def test_samples_at_a_second_site_are_counted_or_kept_out(made):
    # Patients 0 and 1 have two images at N and one at S; the others are at one site.
    rows = [f"{number % 6},N" for number in range(12)] + ["0,S", "1,S"]
    rows += [f"{number % 6 + 10},S" for number in range(12)]
    text = table(rows)
    shared = made(HEAD + "patient: {ids: shared}\n", text)
    assert any("2 patients are at more than one site: 2 samples" in w for w in warnings(shared))
    split = make_split(shared, "site", None, 0, min_samples=1)
    assert split.clients.tolist() == [0] * 14 + [1] * 12
    assert split.divided.counts == {"second_site": {"patients": 2, "samples": 2}}
    assert (
        "2 groups (patients) are at more than one site: 2 of their" in split.divided.warnings()[0]
    )
    rules = "patient: {ids: shared, second_site: leave_out}\n"
    left = made(HEAD + rules, text, force=True)
    assert len(left) == 24
    record = json.loads((left.path / "prepare.json").read_text())
    assert [one["reason"] for one in record["excluded_files"]] == [ELSEWHERE] * 2
    assert make_split(left, "site", None, 0, min_samples=1).divided.counts == {}


def test_second_site_goes_with_shared_ids(made):
    with pytest.raises(MedflError, match="`second_site` goes with `ids: shared`"):
        made(HEAD + "patient: {second_site: leave_out}\n", table(["1,N", "2,N"]))


# Spellings


def test_spellings_of_one_id_are_warned_of_by_hashes_and_joined(made):
    people = ["P-007", "P_007", "p7", "8", "08", "8.0", "Xanthippe", "9"]
    text = table([f"{who},N" for who in people])
    store = made(HEAD, text)
    assert len(set(store.groups)) == 8
    said = next(line for line in warnings(store) if "look like" in line)
    assert said.startswith("6 patients look like 2 whose ids are written in several ways")
    assert store.groups[0] in said
    assert store.groups[1] in said
    assert "007" not in said.replace(store.groups[0], "").replace(store.groups[1], "")
    joined = made(HEAD + "patient: {normalise: true}\n", text, force=True)
    assert partition_of(joined.groups) == [0, 0, 0, 1, 1, 1, 2, 3]
    assert not any("look like" in line for line in warnings(joined))


def test_each_sites_numbers_are_compared_among_themselves():
    given = told(("07", "N"), ("7", "S"), ("7", "N"))
    whose = settle_patients(given, patient(ids="by_site", normalise=True), "here")
    assert partition_of(whose.names) == [0, 1, 0]


def test_sites_and_labels_in_several_ways(made):
    rows = ["1,St. Mary", "2,ST MARY", "3,St. Mary", "4,West", "5,W.", "6,"]
    text = table(rows).replace(",a,", ",Benign,", 1).replace(",a,", ",benign,")
    store = made(HEAD, text)
    said = "\n".join(warnings(store))
    assert "the sites `St. Mary` and `ST MARY` look like one: `site: {normalise: true}`" in said
    assert "the labels `Benign` and `benign` look like one: `labels: {normalise: true}`" in said
    assert "1 samples name no site" in said
    rules = "site: {normalise: true, map: {W.: West}}\nlabels: {normalise: true}\n"
    joined = made(HEAD + rules, text, force=True)
    assert joined.sites.tolist() == ["St. Mary"] * 3 + ["West"] * 2 + [""]
    assert joined.info.classes == ("b", "benign")


def test_label_columns_in_two_spellings_are_one_label(made):
    for number in range(4):
        grey(f"raw/{number:02}.png", 5 * number, (8, 8))
    rows = ["file,Lung edema,lung_edema,effusion", "00.png,1,0,0", "01.png,0,1,1", "02.png,1,1,0"]
    text = "\n".join([*rows, "03.png,0,0,0"])
    rules = "columns: {label: [Lung edema, lung_edema, effusion]}\nlabels: {normalise: true}\n"
    store = made(HEAD + rules, text)
    assert store.info.classes == ("Lung edema", "effusion")
    assert store.labels.tolist() == [[1, 0], [1, 1], [1, 0], [0, 0]]


def test_a_table_is_joined_to_headers_over_spellings_of_the_patient(made):
    Path("raw").mkdir()
    for number in range(3):
        write(
            Path(f"raw/{number}.dcm"),
            np.full((8, 8), 10 * number, np.uint8),
            PatientID=["0047", "0048", "0050"][number],
            SOPInstanceUID=f"1.2.{number}",
        )
    head = HEAD + "columns: {dicom: PatientID}\n"
    text = "PatientID,label\n47,a\n48.0,b\n50,b\n0050.0,a\n"
    store = made(head + "patient: {normalise: true}\n", text)
    assert store.labels.tolist() == [0, 1]  # two rows may be the third one's
    record = json.loads((store.path / "prepare.json").read_text())
    reasons = [one["reason"] for one in record["excluded_files"]]
    assert "no row of the table has its PatientID, though one has another spelling of it" in reasons
    with pytest.raises(MedflError, match=r"\(3 files would fit if zeros at the front.*normalise"):
        made(head, text, force=True)


def test_a_rounded_number_is_told():
    whose = settle_patients(told(("1.23E+11", "N"), ("1.24E+11", "N")), patient(), "here")
    assert whose.warnings[0].startswith("2 samples have a patient's id that a spreadsheet seems")


# Who is unknown


def test_who_is_unknown_is_no_patient_and_what_is_unknown_no_site(made):
    words = ["NA", "nan", "None", "unknown", "-", "", "#N/A", "p1", "p1", "Naples"]
    store = made(HEAD, table([f"{word},{word}x" for word in words]))
    assert partition_of(store.groups) == [0, 1, 2, 3, 4, 5, 6, 7, 7, 8]
    assert any("7 samples name no patient, or an unknown one" in w for w in warnings(store))
    store = made(HEAD, table([f"q{number},{word}" for number, word in enumerate(words)]), "other")
    assert store.sites.tolist() == [""] * 7 + ["p1", "p1", "Naples"]


def test_ones_own_words_for_unknown(made):
    text = table(["999,NA", "999,NA", "NA,7", "NA,7", "5,7", "6,7"])
    rules = "patient: {unknown: [999, -1]}\nsite: {unknown: []}\n"
    store = made(HEAD + rules, text)
    assert partition_of(store.groups) == [0, 1, 2, 2, 3, 4]
    assert store.sites.tolist() == ["NA", "NA", "7", "7", "7", "7"]


def test_where_the_patient_must_be_there_an_unknown_one_is_left_out(made):
    rows = ["NA,N", "1,N", "2,N", "3,N"]
    store = made(HEAD + "patient: table\n", table(rows))
    assert len(store) == 3
    record = json.loads((store.path / "prepare.json").read_text())
    assert [one["reason"] for one in record["excluded_files"]] == ["has no patient"]


# DICOM


def test_headers_name_issuers_sites_and_unknown_people(made):
    people = ["1", "1", "1", "2", "UNKNOWN", "UNKNOWN", "3", "4"]
    Path("raw").mkdir()
    for number, (who, issuer) in enumerate(zip(people, "AABA    ", strict=True)):
        write(
            Path(f"raw/{number}.dcm"),
            np.full((8, 8), 10 * number, np.uint8),
            PatientID=who,
            IssuerOfPatientID=issuer,
            InstitutionName="NSNSNSNS"[number],
            StudyDescription="ab"[number % 2],
            SOPInstanceUID=f"1.2.{number}",
            StudyInstanceUID="1.9.7" if number in (6, 7) else f"1.8.{number}",
        )
    store = made("folder: ../../raw\nsize: 8\nlabels: {attribute: StudyDescription}\n")
    # Issuer A's 1 is one person at two sites, B's another; who is unknown is nobody.
    assert store.info.undecided_patients == 0
    assert partition_of(store.groups) == [0, 0, 1, 2, 3, 4, 5, 6]
    said = "\n".join(warnings(store))
    assert "1 ids of patients were given by several issuers" in said
    assert "1 patients are at more than one site: 1 samples" in said
    assert "1 examinations (StudyInstanceUID) have samples of several patients" in said


# Classes of one's own


class Wards(CustomMedicalDataset):
    """Numbers as pandas gives them: floats, None, NaN."""

    size = 8
    preprocess = None

    def load_data(self):
        people = [7, 7.0, "007", None, float("nan"), 8, 8, 9]
        sites = ["N", "N", "N", "N", "S", "N", "S", None]
        for number, (who, site) in enumerate(zip(people, sites, strict=True)):
            image = np.full((1, 8, 8), number, np.uint8)
            yield {"image": image, "label": "ab"[number % 2], "patient": who, "site": site}


def test_a_class_of_ones_own_has_the_same_rules(place):
    store = MedicalDataLoader(Wards()).prepare()
    assert partition_of(store.groups) == [0, 1, 2, 3, 4, 5, 5, 6]
    assert store.sites.tolist() == ["N", "N", "N", "N", "S", "N", "S", ""]
    assert store.info.undecided_patients == 1

    class Ruled(Wards):
        patient_rules: ClassVar = {"normalise": True, "ids": "by_site"}
        site_rules: ClassVar = {"map": {"S": "South"}}

    store = MedicalDataLoader(Ruled()).prepare()
    assert store.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]  # 9 has no site
    assert partition_of(store.groups) == [0, 0, 0, 1, 2, 3, 4]
    assert store.sites.tolist() == ["N", "N", "N", "N", "South", "N", "South"]

    class Misspelt(Wards):
        patient_rules: ClassVar = {"ids": "shared"}
        site_rules: ClassVar = {"map": {"s": "South", "N": "North"}}

    store = MedicalDataLoader(Misspelt()).prepare()
    said = json.loads((store.path / "prepare.json").read_text())["warnings"]
    assert [line for line in said if "site_rules" in line] == [
        "`Misspelt.site_rules.map` names `s` (`S`?), which no sample has: look how it is written"
    ]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"idz": "shared"}, "Odd.patient_rules: unknown key `idz`; did you mean `ids`"),
        ({"level": 2}, "Odd.patient_rules: load_data says where they stand: leave `from`|`level`"),
        ("shared", "Odd.patient_rules must be a dictionary"),
    ],
)
def test_rules_of_a_class_are_checked(place, rules, message):
    class Odd(Wards):
        patient_rules = rules

    with pytest.raises(MedflError, match=message):
        MedicalDataLoader(Odd()).prepare()


WARDS = """
import numpy as np
from medfl import CustomMedicalDataset

class Wards(CustomMedicalDataset):
    preprocess = None
    size = 8

    def load_data(self):
        for number, who in enumerate(["7", "007", "8", "9"]):
            image = np.full((1, 8, 8), number, np.uint8)
            yield {"image": image, "label": "ab"[number % 2], "patient": who}
"""


def test_the_description_of_a_class_may_say_them(made, own_module):
    own_module("wards_of_seven", WARDS)
    head = "class: wards_of_seven:Wards\n"
    store = made(head + "patient: {normalise: true}\n")
    assert partition_of(store.groups) == [0, 0, 1, 2]
    with pytest.raises(MedflError, match="the `class` decides where they stand: leave `level` out"):
        made(head + "patient: {level: 2}\n", force=True)


def test_a_split_of_an_undecided_store_is_not_read_either(made, tmp_path):
    rows = [f"{number % 10},{'NS'[number // 10]}" for number in range(20)]
    store = made(HEAD, table(rows))
    lines = [f"{ident},{row // 10},{('train', 'val', 'test')[row % 3]}"
             for row, ident in enumerate(store.ids)]  # fmt: skip
    path = tmp_path / "iid" / "seed0.csv"
    path.parent.mkdir()
    path.write_text("\n".join(["sample,client,fold", *lines]))
    with pytest.raises(MedflError, match="10 patients have an id that occurs at more than one"):
        Split.read(path, store)
