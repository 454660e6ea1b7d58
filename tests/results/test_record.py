"""The record: read, brought to today's schema, or refused in one sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from medfl.errors import MedflError
from medfl.results.columns import SUMMARY, columns_in
from medfl.results.migrate import migrate
from medfl.results.record import DamagedRecordError, as_dict, read_record, row_of
from medfl.results.runs import role_of
from medfl.results.schema import SCHEMA, Record

OLD = Path(__file__).with_name("record_schema1.json")  # written by the first medfl, of a real run


def edited(folder: Path, **changes: object) -> Path:
    path = folder / "metrics.json"
    path.write_text(json.dumps(json.loads(OLD.read_text()) | changes))
    return path


def test_a_record_of_the_first_schema_is_brought_to_todays():
    content = json.loads(OLD.read_text())
    assert content["schema"] == 1
    record = read_record(OLD)
    assert record.schema_number == SCHEMA == 3
    assert record.predictions is None
    # A personal arm had answered for own patients, and was chosen by balanced accuracy.
    assert as_dict(record)["last"]["test"] == content["last"]["personal"]
    assert as_dict(record)["last"]["val"] == content["last"]["val"]
    assert record.last.everyone is None
    assert (record.everyone_by, record.primary) == (None, "balanced_accuracy")
    # Its rounds to a target were those of test accuracy, which is another quantity.
    assert record.communication.rounds_to_target is None
    changed = {"schema", "last", "best", "communication", "fairness"}
    assert {k: v for k, v in as_dict(record).items() if k in content.keys() - changed} == {
        k: v for k, v in content.items() if k not in changed
    }


@pytest.mark.parametrize(
    ("evaluated", "by", "val", "test", "everyone"),
    [
        ("global", "server", 0.1, 0.2, 0.2),
        ("personal", None, 0.1, 0.3, None),  # 0.2 was that of the server's incomplete model
        ("local", "clients", None, 0.3, 0.2),  # 0.2 was the mean over clients' models
    ],
)
def test_what_an_older_record_says_goes_to_the_question_that_it_answered(
    evaluated, by, val, test, everyone
):
    said = {"val": {"accuracy": 0.1}, "test": {"accuracy": 0.2}, "personal": {"accuracy": 0.3}}
    if evaluated == "global":
        said["personal"] = said["test"]
    old = {"schema": 2, "evaluated": evaluated, "last": {"round": 4, **said}, "best": None}
    new = migrate(old, 3)
    assert new["everyone_by"] == by
    found = {k: v and v["accuracy"] for k, v in new["last"].items() if k != "round"}
    assert found == {"val": val, "test": test, "everyone": everyone}
    assert new["best"] is None


def test_the_worst_client_of_an_older_record_stands_where_all_clients_have_test_samples_enough():
    clients = {"0": {"n_test": 30}, "1": {"n_test": 10}, "2": {"n_test": 0}}
    fairness = {"worst": 0.7, "worst_client": "1", "n": 2, "undefined": ["2"]}
    old = {"schema": 2, "clients": clients, "fairness": fairness}
    assert migrate(old, 3)["fairness"] == {
        **{"worst": 0.7, "worst_client": "1", "n": 2, "worst_n_test": 10},
        **{"metric": "accuracy", "min_test_samples": 10, "left_out": {"2": 0}},
    }
    clients["1"]["n_test"] = 9
    new = migrate(old, 3)["fairness"]
    assert "worst" not in new
    assert "clients with few test samples" in new["reason"]
    assert "fairness" not in migrate({"schema": 2}, 3)
    assert migrate({"schema": 2, "fairness": 5, "clients": {"0": 1}}, 3)["fairness"] == 5


def test_a_record_written_and_read_is_the_same(tmp_path):
    record = read_record(OLD)
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(as_dict(record)))
    assert read_record(path) == record


def test_the_numbers_of_a_summary_row_are_the_records():
    row = row_of(read_record(OLD), columns_in(SUMMARY))
    content = json.loads(OLD.read_text())
    # fedbn trains personal models: each sample is judged by the model of the client that has it.
    personal = content["last"]["personal"]
    assert row["test_accuracy"] == personal["accuracy"]
    assert row["test_log_loss"] == personal["log_loss"]
    assert row["best_test_accuracy"] == content["best"]["personal"]["accuracy"]
    assert row["best_round"] == content["best"]["round"]
    assert row["worst_client_accuracy"] == content["fairness"]["worst"]
    assert row["bytes_up"] == content["communication"]["bytes_up"]
    assert "epsilon" not in row
    assert "megabytes" not in row


def test_a_newer_record_is_not_read(tmp_path):
    path = edited(tmp_path, schema=4, status="paused by a word that is not known yet")
    with pytest.raises(
        MedflError, match=r"written by a newer medfl .schema 4, this one reads up to 3"
    ):
        read_record(path)
    with pytest.raises(MedflError) as error:
        read_record(path)
    assert not isinstance(error.value, DamagedRecordError), "a newer record is worth keeping"
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize("schema", [0, -1, None, "1", 1.5, True, [1]])
def test_a_schema_that_never_was_is_refused_before_anything_else(tmp_path, schema):
    path = edited(tmp_path, schema=schema, status=7, fairness="x")
    with pytest.raises(
        DamagedRecordError,
        match=r"is none of those that this medfl reads, 1 to 3",
    ) as error:
        read_record(path)
    assert "train it again" in str(error.value)


def test_what_is_no_record_is_refused(tmp_path):
    with pytest.raises(DamagedRecordError, match="is not the folder of a finished run"):
        read_record(tmp_path / "metrics.json")
    (tmp_path / "metrics.json").write_text("{half")
    with pytest.raises(DamagedRecordError, match="cannot be read"):
        read_record(tmp_path / "metrics.json")
    (tmp_path / "metrics.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedRecordError, match="cannot be read"):
        read_record(tmp_path / "metrics.json")


SEARCH = {
    "chosen": 1,
    "values": {},
    "metric": "accuracy",
    "folds_of_seed": 0,
    "data": {"store": "0", "split": "1"},
    "points": [{"values": {}, "status": "completed", "validation": 0.5}],
}


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("heterogeneity", {"clients": "many"}),
        ("heterogeneity", {"clients": [{"classes": {"a": "three"}}]}),
        ("heterogeneity", {"client_names": [1]}),
        ("heterogeneity", {"label_distance": {"pairwise_mean": "far"}}),
        ("provenance", {"tuning": {}}),
        ("provenance", {"tuning": {**SEARCH, "chosen": 2}}),
        ("provenance", {"tuning": {**SEARCH, "points": [{"values": {}, "status": "completed"}]}}),
    ],
)
def test_parts_of_other_files_have_the_form_in_which_tables_read_them(tmp_path, part, content):
    with pytest.raises(DamagedRecordError) as error:
        read_record(edited(tmp_path, **{part: content}))
    assert f"`{part}`: a part of it is not what medfl writes" in str(error.value)
    whole = {"tuning": SEARCH, "new": [1]} if part == "provenance" else {"clients": [{"new": 1}]}
    assert getattr(read_record(edited(tmp_path, **{part: whole})), part) == whole


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_no_record_holds_is_damage_in_one_without_a_hash_too(tmp_path, number):
    path = edited(tmp_path, provenance={"tuning": {**SEARCH, "folds_of_seed": number}})
    assert "record_sha256" not in json.loads(path.read_text())
    with pytest.raises(DamagedRecordError, match="is damaged or was edited"):
        read_record(path)


def test_what_this_medfl_does_not_know_is_kept(tmp_path):
    record = read_record(edited(tmp_path, energy={"joules": 5}))
    assert as_dict(record)["energy"] == {"joules": 5}


def test_a_record_says_what_its_numbers_are_worth_without_images():
    said = {"schema": 3, "dataset": "d", "partition": "p", "arm": "a", "seed": 0}
    said |= {"status": "completed", "primary": "kappa"}
    said["without_images"] = {"own": {"kappa": 0.2}, "everyone": {"kappa": 0.0}}
    record = Record.model_validate(said)
    assert (record.chance_own, record.chance_everyone) == (0.2, 0.0)
    assert record.test.accuracy is record.everyone.accuracy is record.best_test.accuracy is None
    assert Record.model_validate({**said, "without_images": {}}).chance_own is None


def test_a_record_is_held_to_its_own_hash_whatever_its_layout(tmp_path):
    said = {"schema": 3, "dataset": "d", "partition": "p", "arm": "a", "seed": 0, "rounds": 2}
    said |= {"status": "diverged", "provenance": {"b": 1.5, "a": [0.1, None]}}
    # By hand: the keys in order, without blanks.
    text = (
        '{"arm":"a","dataset":"d","partition":"p","provenance":{"a":[0.1,null],"b":1.5},'
        '"rounds":2,"schema":3,"seed":0,"status":"diverged"}'
    )
    own = {"record_sha256": hashlib.sha256(text.encode()).hexdigest()}
    path = tmp_path / "metrics.json"
    for content in (own | said, said | own):
        for indent in (None, 2, 4):
            path.write_text(json.dumps(content, indent=indent) + "\n")
            assert read_record(path).rounds == 2
    for changes in ({"rounds": 3}, {"new": 1}, {"schema": 2}, {"record_sha256": "0" * 64}):
        for indent in (None, 2):
            path.write_text(json.dumps(said | own | changes, indent=indent) + "\n")
            with pytest.raises(DamagedRecordError, match="is damaged or was edited"):
                read_record(path)
    path.write_text(json.dumps(said | own).replace("1.5", "1e999"))
    with pytest.raises(DamagedRecordError, match="is damaged or was edited"):
        read_record(path)


def test_brackets_in_brackets_are_one_sentence(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedRecordError, match="brackets in one another without end"):
        read_record(path)


@pytest.mark.parametrize(
    ("says", "role"),
    [
        ({"algorithm": "my_algorithms:All", "evaluated": "global", "pooled": True}, "reference"),
        ({"algorithm": "my_algorithms:All", "evaluated": "local", "pooled": False}, "reference"),
        ({"algorithm": "fedavg", "evaluated": "global", "pooled": False}, "global"),
        ({"algorithm": "fedbn", "evaluated": "personal", "pooled": False}, "personal"),
    ],
)
def test_what_an_arm_did_decides_among_whom_it_competes(says, role):
    """An own algorithm that trains on all data is no better federated arm."""
    place = {"dataset": "toy", "partition": "iid", "arm": "centralized", "seed": 0}
    record = Record.model_validate({**place, "status": "completed", **says})
    assert role_of("centralized", record) == role
    assert [role_of(arm, None) for arm in ("centralized", "mine")] == ["reference", "global"]


def test_an_older_record_of_the_centralised_baseline_is_a_reference():
    old = {"schema": 2, "evaluated": "global"}
    assert migrate({**old, "algorithm": "centralized"}, SCHEMA)["pooled"] is True
    assert migrate({**old, "algorithm": "fedavg"}, SCHEMA)["pooled"] is False
