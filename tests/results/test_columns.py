"""The registry of columns."""

from __future__ import annotations

from collections import Counter

import pytest
from federations import federation

from medfl.errors import MedflError
from medfl.federated.outcome import run_metrics
from medfl.privacy.clip import NormClipping
from medfl.results import columns
from medfl.results.columns import COLUMNS, Column, columns_in, names_in, table_columns
from medfl.results.record import row_of
from medfl.results.schema import Record

FILES = (columns.ROUNDS, columns.CLIENTS, columns.SUMMARY, columns.TABLES, columns.CURVES)


@pytest.mark.parametrize("file", FILES)
def test_no_file_has_a_name_twice(file):
    assert not [name for name, count in Counter(names_in(file)).items() if count > 1]


def known(file, *names):
    """The columns of a file in their order, without those that are newer than these names."""
    return tuple(name for name in names_in(file) if name in names)


def test_the_files_have_the_columns_that_they_always_had_in_their_order():
    rounds = (
        *("round", "learning_rate", "participants", "steps", "gradients"),
        *("train_loss", "update_norm"),
        *("bytes_up", "bytes_down", "bytes_total", "seconds", "evaluated"),
        *("val_accuracy", "val_balanced_accuracy", "val_auc_macro", "val_loss"),
        *("test_accuracy", "test_balanced_accuracy", "test_auc_macro", "test_loss"),
        "worst_client_accuracy",
    )
    assert known(columns.ROUNDS, *rounds) == rounds
    clients = (
        *("round", "client", "fold", "n", "accuracy", "balanced_accuracy", "auc_macro"),
        *("log_loss", "train_samples", "steps"),
    )
    assert known(columns.CLIENTS, *clients) == clients
    summary = (
        *("dataset", "partition", "arm", "algorithm", "seed", "status", "evaluated"),
        *("objective", "rounds"),
        *("test_accuracy", "test_balanced_accuracy", "test_auc_macro", "test_f1_macro"),
        *("test_kappa", "test_ece", "test_log_loss", "best_round", "best_test_accuracy"),
        *("worst_client_accuracy", "client_accuracy_std", "jain"),
        *("bytes_up", "bytes_down", "rounds_to_target", "bytes_to_target"),
        *("epsilon", "steps", "seconds"),
    )
    assert known(columns.SUMMARY, *summary) == summary


def test_every_column_of_a_record_leads_to_a_field_of_it():
    """A typing error in `source` would leave a column empty for ever."""
    for column in COLUMNS:
        if not column.source or column.source.startswith("val."):
            continue
        kind: type = Record
        for name in column.source.split("."):
            known = {**getattr(kind, "model_fields", {}), **vars(kind)}
            assert name in known, column
            kind = inner(kind, name)


def inner(kind: type, name: str) -> type:
    """The class behind a field or property, without its `| None`."""
    import typing

    hints = typing.get_type_hints(kind)
    if name not in hints:
        hints = {name: typing.get_type_hints(vars(kind)[name].fget)["return"]}
    choices = [part for part in typing.get_args(hints[name]) if part is not type(None)]
    return choices[0] if choices else hints[name]


# What the record of a plain run does not say, and why.
UNSAID = {
    "run": "its place says it",
    "rounds_to_target": "the run has no target",
    "bytes_to_target": "the run has no target",
    "extra_work": "fedavg trains nothing beside its steps",
    "epsilon": "no link protects the updates",
    "delta": "no link protects the updates",
    "privacy_unit": "no link protects the updates",
}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, set()),
        ({"target": 0.01}, {"rounds_to_target", "bytes_to_target"}),
    ],
)
def test_a_run_fills_every_column(settings, said):
    """A column and its field in the schema are of no use where nothing computes the number."""
    trainer = federation(rounds=1, **settings)
    trainer.train()
    wanted = columns_in(columns.SUMMARY, columns.TABLES)
    row = row_of(Record.model_validate(run_metrics(trainer)), wanted)
    assert {column.name for column in wanted} - set(row) == set(UNSAID) - said
    evaluated = trainer.history[-1]
    assert [name for name in names_in(columns.ROUNDS) if evaluated.get(name) is None] == []
    client = trainer.client_history[-1]
    assert [name for name in names_in(columns.CLIENTS) if client.get(name) is None] == []


def test_what_readers_see_has_a_title_and_a_direction():
    for column in columns_in(columns.TABLES):
        assert column.title
        assert column.short
        assert column.source, "a table takes its numbers from the records"
        assert column.direction or column is columns.MEGABYTES
        assert column.title.endswith("%)") or "(%)" in column.title or column.unit != "%"


def test_what_is_counted_is_read_as_whole_numbers():
    """A count that is read as a float is written as 12.0 in the next table."""
    whole = {file: {c.name for c in columns_in(file) if c.kind is int} for file in FILES}
    assert whole[columns.ROUNDS] == {
        *("round", "participants", "steps", "gradients", "evaluated", "worst_client_n_test"),
        *("bytes_up", "bytes_down", "bytes_total"),
    }
    assert whole[columns.CLIENTS] == {
        *("round", "client", "n", "patients", "train_samples", "steps"),
    }
    assert whole[columns.SUMMARY] >= {
        *("seed", "rounds", "best_round", "steps", "rounds_to_target", "bytes_to_target"),
        *("bytes_up", "bytes_down", "worst_client_n_test", "worst_client_patients"),
    }


def test_every_column_stands_in_a_file_and_fairness_in_the_summary():
    assert [column.name for column in COLUMNS if not column.files] == []
    fairness = [column for column in COLUMNS if column.source.startswith("fairness.")]
    assert len(fairness) >= 10
    assert [column.name for column in fairness if columns.SUMMARY not in column.files] == []


def test_a_metric_has_one_column_for_each_question():
    own = {metric: columns.judged(metric).name for metric in ("accuracy", "kappa")}
    assert own == {"accuracy": "test_accuracy", "kappa": "test_kappa"}
    assert columns.judged("kappa", columns.EVERYONE).name == "everyone_kappa"


def test_what_is_said_without_images_is_said_of_each_question():
    question = {column.name: column.question for column in COLUMNS}
    assert question["chance_own"] == columns.OWN
    assert question["chance_everyone"] == columns.EVERYONE


def test_links_add_columns_behind_those_of_every_run():
    epsilon = Column("epsilon", "Privacy budget ε")
    assert table_columns("rounds.csv", (epsilon,)) == (*columns_in(columns.ROUNDS), epsilon)
    with pytest.raises(MedflError, match="has a column `steps` already"):
        table_columns("rounds.csv", [Column("steps")])
    with pytest.raises(MedflError, match="has a column `epsilon` already"):
        table_columns("rounds.csv", [epsilon, epsilon])


def test_numbers_as_readers_see_them():
    assert columns.ACCURACY.format(0.87349) == "87.3"
    assert columns.AUC.format(0.87349) == "0.873"
    assert columns.KAPPA.format(-0.25) == "-0.250"
    assert [columns.ACCURACY.scale, columns.AUC.scale, columns.MEGABYTES.scale] == [100, 1, 1]
    assert columns.MEGABYTES.format(0) == "0"
    assert columns.MEGABYTES.format(1234.5) == "1234"
    assert columns.MEGABYTES.format(12.345) == "12.3"
    assert columns.MEGABYTES.format(0.012345) == "0.0123"
    rounds = next(c for c in COLUMNS if c.name == "rounds_to_target")
    assert rounds.format(12.25) == "12.2"


def test_the_columns_of_a_runs_links_are_declared_before_its_first_round(monkeypatch):
    trainer = federation(chain={"links": {"clip": {"norm": 1e-3}}}, rounds=1)
    assert [column.name for column in trainer.columns] == [*names_in(columns.ROUNDS), "clipped"]
    trainer.train()
    assert trainer.history[1]["clipped"] == 1
    monkeypatch.setattr(NormClipping, "columns", (Column("steps"),))
    with pytest.raises(MedflError, match="has a column `steps` already"):
        federation(chain={"links": {"clip": {"norm": 1e-3}}}, rounds=1)
