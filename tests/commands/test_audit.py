"""`medfl audit`: its files, its exit status, and its errors."""

from __future__ import annotations

import csv
import json
import shlex

import pytest
import torch

from medfl.cli import main

QUICK = "audit --rounds 1 --local-steps 1 --sampling-rate 1"
FILES = {"audit.json", "audit.png", "audit.svg", "scores.csv"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / "audits"


def test_a_claim_that_holds(place, capsys):
    assert main(shlex.split(QUICK)) == 0
    folder = place / "image"
    assert {path.name for path in folder.iterdir()} == FILES
    record = json.loads((folder / "audit.json").read_text())
    bounds = record["epsilon"]
    assert record["passed"] is True
    assert 0.2 <= bounds["one_run"] <= bounds["f_dp"] <= bounds["claimed"] <= 1.0
    assert record["privacy"]["unit"] == "image"
    assert record["privacy"]["adjacency"] == "one image more or less at a client"
    assert record["settings"]["canaries"] == 20_000
    with (folder / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20_000
    assert {row["client"] for row in rows} == {str(client) for client in range(20)}
    # The record's numbers follow from the table alone.
    guessed = [row for row in rows if row["guess"]]
    right = sum((row["guess"] == "in") == (row["in"] == "1") for row in guessed)
    assert record["guesses"] == {"canaries": 20_000, "made": len(guessed), "right": right}
    lowest = max(float(row["score"]) for row in rows if row["guess"] == "out")
    highest = min(float(row["score"]) for row in rows if row["guess"] == "in")
    assert all(lowest <= float(row["score"]) <= highest for row in rows if not row["guess"])
    printed = capsys.readouterr()
    assert "image: ε 1 is claimed at δ 1e-05." in printed.out
    assert "The claim holds" in printed.out
    assert "auditing: 100%" in printed.err


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files(place, tmp_path):
    small = f"{QUICK} --canaries 1000 --clients 2"
    main(shlex.split(small))
    main(shlex.split(f"{small} --output-dir again"))
    for name in FILES - {"audit.svg"}:
        assert (place / "image" / name).read_bytes() == (
            tmp_path / "again" / "image" / name
        ).read_bytes()


@pytest.mark.slow
def test_a_claim_that_is_wrong_ends_with_status_1(place, capsys, monkeypatch):
    def nothing(like, generator):
        return torch.zeros_like(like)

    monkeypatch.setattr("medfl.privacy.dp_sgd.steps.normals", nothing)
    command = f"{QUICK} --unit patient --canaries 1000 --clients 2"
    assert main(shlex.split(command)) == 1
    assert "The claim is wrong." in capsys.readouterr().out
    record = json.loads((place / "patient" / "audit.json").read_text())
    assert record["passed"] is False
    assert record["epsilon"]["one_run"] > record["epsilon"]["claimed"]
    assert record["sampling_p_values"] == dict.fromkeys(
        ("rate", "sizes", "participations", "overlaps"), 1.0
    )


@pytest.mark.slow
def test_samples_that_are_shuffled_end_with_status_1(place, capsys, monkeypatch):
    def given(rows, *_):
        yield from rows

    monkeypatch.setattr("medfl.privacy.dp_sgd.steps.poisson_batches", given)
    command = "audit --accountant rdp --canaries 2000 --clients 2 --rounds 1 --sampling-rate 0.1"
    assert main(shlex.split(command)) == 1
    said = capsys.readouterr().out
    assert "The samples are not drawn as the claim takes them to be." in said
    assert "p-values of Poisson samples" in said


@pytest.mark.slow
def test_a_normaliser_that_depends_on_n_ends_with_status_1(place, capsys, monkeypatch):
    """One run sees nothing of it; two neighbours do."""
    monkeypatch.setattr("medfl.privacy.dp_sgd.budget.public_size", lambda size, step: size)
    assert main(shlex.split(f"{QUICK} --canaries 2000 --clients 2")) == 1
    said = capsys.readouterr().out
    assert "Single steps on two neighbouring data sets show ε ≥ " in said
    assert "The claim is wrong." in said
    bounds = json.loads((place / "image" / "audit.json").read_text())["epsilon"]
    assert max(bounds["one_run"], bounds["f_dp"]) <= bounds["claimed"] < bounds["two_neighbours"]


@pytest.mark.slow
def test_seeing_too_little_ends_with_status_1(place, capsys, monkeypatch):
    """Noise that is ten times as long as it says keeps the claim, but nothing can be seen."""
    normals = torch.randn

    def longer(*shape, **keys):
        return 10 * normals(*shape, **keys)

    monkeypatch.setattr(torch, "randn", longer)
    assert main(shlex.split(f"{QUICK} --canaries 1000 --clients 2")) == 1
    assert "Too little is seen to judge the claim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--epsilon 0", "`epsilon`: Input should be greater than 0"),
        ("--canaries 10000001", "`canaries`: Input should be less than or equal to 10000000"),
        ("--epsilon -1", "`epsilon`: Input should be greater than 0"),
        ("--delta 1", "`delta`: Input should be less than 1"),
        ("--significance 0.5", "`significance`"),
        ("--sampling-rate 1.5", "`sampling_rate`"),
        ("--unit hospital --canaries 10", "10 hospitals can show nothing: even without any noise"),
        ("--canaries 500", "500 images can show nothing"),
        ("--unit patient --canaries 999", "Take 1,000 canaries or more."),
        ("--epsilon 8 --canaries 1000 --clients 2", "could catch no mechanism at all"),
        ("--guesses 0.0001", "could catch no mechanism at all"),
        ("--delta 0.01", "could catch no mechanism at all"),
        ("--unit hospital --clients 10", "each hospital is a canary"),
        ("--noise distributed", "only hospitals share noise"),
        ("--images 3", "a canary of unit image has one image"),
        ("--unit hospital --images 1", "a canary of unit hospital has one image"),
        ("--guesses 0.0001", "or make more --guesses."),
        ("--sampling-rate 1e-308", "of 500 images of a client less than one would be drawn"),
        ("--unit hospital --sampling-rate 1e-5", "of 10,000 hospitals less than one would be"),
        ("--epsilon 1e-308", "no ε below 0.00999 can be proved"),
        ("--delta 1e-308", "no ε can be proved"),
        ("--canaries 2000", "are 100 each, and 200 are needed"),
        (
            "--unit hospital --noise distributed --sampling-rate 0.5",
            "under masks the server knows who takes part",
        ),
    ],
)
def test_a_mistake_is_one_line(place, capsys, options, words):
    try:
        status = main(shlex.split(f"audit {options}"))
    except SystemExit as stop:  # of an option that is out of its range
        status = stop.code
    assert status == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1]
    assert said[-1].startswith("medfl")
    assert ": error: " in said[-1]
    assert not place.exists()
