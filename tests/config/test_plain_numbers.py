"""What counts as a number in a configuration."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from pydantic import Field, ValidationError

from medfl.cli import main
from medfl.config import FederatedConfig, Numbers
from medfl.errors import MedflError
from medfl.files import read_yaml, unusual_yaml
from medfl.partition import parse_partition
from medfl.registry import HyperParams


class Every(Numbers):
    whole: int = 0
    decimal: float | None = None
    several: list[int] | int | None = None
    named: dict[str, float] = Field(default_factory=dict)
    limited: float = Field(0.5, ge=0, le=1)
    word: str = ""
    switch: bool = False
    either: Literal["first"] | int = 0
    choice: Literal[1, 2] = 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("0.10", 0.1),
        (".5", 0.5),
        ("-2", -2),
        ("+1.5E+2", 150),
        ("0", 0),
        ("7.", 7),
    ],
)
def test_numbers_that_a_person_writes(text, value):
    assert Every(decimal=text).decimal == value
    assert Every(named={"a": text}).named == {"a": value}


@pytest.mark.parametrize(
    "text",
    ["010", "1_000", "12:30", "0x10", "0b1", "2024-01-30", "yes", " 1", "٣", "1e", "", "nan"],
)
@pytest.mark.parametrize("field", ["whole", "decimal", "several", "limited", "named"])
def test_texts_that_are_none(text, field):
    value = {"named": {"a": text}}.get(field, text)
    with pytest.raises(ValidationError, match="write a number in plain digits"):
        Every(**{field: value})


@pytest.mark.parametrize(
    "field", ["whole", "decimal", "several", "limited", "named", "either", "choice"]
)
def test_true_and_false_are_none(field):
    for value in (True, False):
        with pytest.raises(ValidationError, match="a number is meant, not true or false"):
            Every(**{field: {"named": {"a": value}}.get(field, value)})


def test_one_of_a_list_is_named():
    with pytest.raises(ValidationError, match="at 1, '010': write a number"):
        Every(several=[1, "010"])


def test_words_and_switches_are_left_alone():
    every = Every(word="010", switch=True, either="first")
    assert (every.word, every.switch, every.either) == ("010", True, "first")


def test_what_yaml_turns_stays_the_text_that_it_is(tmp_path):
    path = tmp_path / "all.yaml"
    words = ["010", "1_000", "0x1F", "0b11", "12:30", "1:30.5", "2024-01-30", "2024-02-30", "0o7"]
    path.write_text("\n".join(f"- {word}" for word in words))
    assert read_yaml(path) == words
    path.write_text("[0, 7, -3, +4, 0.10, 1.5e+3, .5, -2., .inf, true, null, 1e-3]")
    assert read_yaml(path) == [0, 7, -3, 4, 0.1, 1500, 0.5, -2, float("inf"), True, None, "1e-3"]
    assert type(read_yaml(path)[0]) is int


def test_a_value_that_cannot_be_built_is_one_sentence(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("seeds: [!!int abc]\n")
    with pytest.raises(
        MedflError,
        match=r"odd.yaml is not valid YAML: line 1, column 9: no whole number in plain digits",
    ):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "title: a\nnote: 2024-02-30\n",
            "line 2, column 7: a value that cannot be .* `note`",
        ),
        ("&a [*a]", None),
        ("note: '2024-02-30'\nday: 2024-02-29\nseeds: [010]\n", None),
    ],
)
def test_what_the_usual_reader_of_yaml_cannot_read_is_known(tmp_path, text, where):
    """Our own reader takes a day for a text, and Snakemake's would not."""
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    said = unusual_yaml(path)
    assert said is None if where is None else re.search(where, said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "seed: 010",
            "`seed`: write a number in plain digits, such as 10, 0.5 or 1e-3 (got '010')",
        ),
        ("training: {learning_rate: yes}", "`training.learning_rate`: a number is meant"),
        ("training: {batch_size: 1_0}", "`training.batch_size`: write a number"),
        ("training: {patch: [16, on]}", "`training.patch`: at 1, True: a number is meant"),
        ("federated_learning: {rounds: 12:30}", "`federated_learning.rounds`: write a number"),
        ("split: {val_fraction: 2024-01-01}", "`split.val_fraction`: write a number"),
        ("augmentation: {rotation: on}", "`augmentation.rotation`: a number is meant"),
    ],
)
def test_a_run_file_takes_no_other_number_than_it_shows(tmp_path, line, said):
    path = tmp_path / "run.yaml"
    path.write_text(line)
    with pytest.raises(MedflError) as error:
        FederatedConfig.read(path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        f"seed: {10**18 + 1}",
        f"seed: {2**70}",
        f"seed: '{'9' * 5000}'",
        f"federated_learning: {{rounds: {10**400}}}",
        f"training: {{patch: [{10**19}, 8]}}",
    ],
)
def test_a_number_has_a_ceiling(tmp_path, line):
    path = tmp_path / "run.yaml"
    path.write_text(line)
    with pytest.raises(MedflError, match="a number of at most 1,000,000,000,000,000,000 is meant"):
        FederatedConfig.read(path)


def test_the_largest_number_is_one(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"seed: {10**18}")
    assert FederatedConfig.read(path).seed == 10**18


@pytest.mark.parametrize(
    "option", [["--seed", "9" * 5000], ["--seed", str(10**18 + 1)], ["--num-clients", str(2**70)]]
)
def test_an_option_has_that_ceiling_too(capsys, option):
    with pytest.raises(SystemExit) as stop:
        main(["split", "toy", "--partition", "iid", "--output", "x.csv", *option])
    assert stop.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option[0]}: no number is more than 1,000,000,000,000,000,000 (" in said


def test_hyper_parameters_are_held_to_it_too():
    class Params(HyperParams):
        strength: float = 0.1

    assert Params(strength="1e-1").strength == 0.1
    for wrong in (True, "010"):
        with pytest.raises(ValidationError, match="number"):
            Params(strength=wrong)


@pytest.mark.parametrize(
    "value",
    ["!!int 010", "!!int 0x10", '!!int "1_0"', '!!float "1_0"', "!!float 1:30", "!!float 010"],
)
def test_a_tag_does_not_make_another_number_of_a_word(tmp_path, value):
    path = tmp_path / "odd.yaml"
    path.write_text(f"training: {{learning_rate: {value}}}")
    with pytest.raises(MedflError, match=r"odd.yaml is not valid YAML: .* in plain digits"):
        FederatedConfig.read(path)


def test_a_tag_and_a_plain_number_are_that_number(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text('[!!int 10, !!int "-3", !!float 3, !!float "1e-3", !!float .5, !!float .inf]')
    assert read_yaml(path) == [10, -3, 3.0, 0.001, 0.5, float("inf")]


def test_bytes_are_no_number(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("federated_learning: {rounds: !!binary MQ==}")  # MQ== is "1"
    with pytest.raises(MedflError, match="rounds`: a number is meant, not bytes"):
        FederatedConfig.read(path)


OPTIONS = {
    "whole": ["benchmark", "--dry-run", "--rounds"],
    "list": ["benchmark", "--dry-run", "--seeds"],
    "real": ["benchmark", "--dry-run", "--learning-rate"],
    "own": ["split", "phantom", "--partition", "iid", "--output", "x.csv", "--num-clients"],
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("text", ["010", "1_0", "0x10", "1:30", "yes", "１", "1,5e", ""])
def test_an_option_takes_what_a_file_takes(capsys, option, text):
    if (option, text) == ("list", ""):  # no seeds: the grid says so
        return
    *words, name = OPTIONS[option]
    with pytest.raises(SystemExit) as end:
        main([*words, f"{name}={text}"])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {name}: " in said
    assert "in plain digits" in said


@pytest.mark.parametrize("text", ["0", "-1", "010", "1.5", "many", ""])
def test_processors_are_a_number_or_all(capsys, text):
    with pytest.raises(SystemExit):
        main(["benchmark", "--dry-run", f"--cores={text}"])
    assert "is neither all nor a number of processors" in capsys.readouterr().err


def test_a_colon_in_a_number_is_no_point():
    """In the name of a folder a dot stands for the colon of a person's own class alone."""
    for word in ("dirichlet-1:30", "noise-0:1"):
        with pytest.raises(MedflError, match="is not a number"):
            parse_partition(FederatedConfig(partition=word).partition)
    assert FederatedConfig(partition="mine.parts:Lead-0.5").partition == "mine.parts.Lead-0.5"
