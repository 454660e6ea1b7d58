"""`medfl attack` on a small store: its files, its going on, and its errors."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from medfl.cli import main
from medfl.datasets.registry import get
from medfl.observed import attacked
from medfl.store import Sample, write_store
from medfl.store.raw import RawData

INVERSION = shlex.split(
    "attack inversion --images 1 --clients 3 --batches 1,2 --iterations 2 "
    "--arms none,secure-aggregation"
)
MEMBERSHIP = shlex.split(
    "attack membership --shadows 4 --clients 2 --rounds 1 --local-steps 2 --batch-size 4"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    info = get("phantom").info(RawData([], [], len, ""))
    samples = [Sample(f"s{i}", (info.classes[i % 5],), group=f"p{i // 2}") for i in range(60)]
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 12, 12), dtype=np.uint8)
    write_store(root / "prepared" / "phantom", info, samples, images)
    return root


@pytest.fixture
def place(prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(prepared)
    return tmp_path / "results" / "attacks"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_inversion_writes_pictures_numbers_and_a_page(place, capsys):
    assert main(INVERSION) == 0
    folder = place / "inversion"
    figures = {"linear", "batches", "protections", "statistics"}
    pictures = {f"inversion_{name}{end}" for name in figures for end in (".png", ".svg")}
    assert {path.name for path in folder.iterdir()} == {
        *pictures, "inversion.csv", "inversion.md", "parts",
    }  # fmt: skip
    rows = table(folder / "inversion.csv")
    assert {row["figure"] for row in rows} == figures
    exact = next(row for row in rows if row["figure"] == "linear" and row["case"] == "none")
    assert float(exact["psnr"]) > 60 > float(exact["guess_psnr"])
    # A case of two images has a row for each; the sum stands beside what each client sent.
    assert [row["image"] for row in rows if row["case"] == "batch-2"] == ["0", "1"]
    assert {row["seen"] for row in rows} == {"update", "sum", "nothing"}
    page = (folder / "inversion.md").read_text()
    assert "| none | update |" in page
    assert "1 of 1" in page
    assert "attacking: 100%" in capsys.readouterr().err


def test_a_second_call_attacks_nothing_again_and_writes_the_same(place, monkeypatch):
    assert main([*INVERSION, "--figures", "batches"]) == 0
    folder = place / "inversion"
    before = {path.name: path.read_bytes() for path in folder.glob("inversion*")}
    (folder / "parts" / "batches_batch-2_0.npz").write_bytes(b"damaged")  # is made again
    attacks = []
    federate = attacked.federate

    def counted(*given):
        attacks.append(given)
        return federate(*given)

    monkeypatch.setattr(attacked, "federate", counted)
    assert main([*INVERSION, "--figures", "batches"]) == 0
    assert len(attacks) == 1
    assert {path.name: path.read_bytes() for path in folder.glob("inversion*")} == before
    assert main([*INVERSION, "--figures", "batches", "--seed", "1"]) == 0
    assert len(attacks) == 3  # other settings: all is made again


def test_arms_of_the_params_file_are_attacked(place):
    Path("params").mkdir()
    arms = {"fedavg-mine": {"algorithm": "fedavg", "chain": {"links": {"quantize": {"bits": 4}}}}}
    Path("params/algorithms.yaml").write_text(yaml.safe_dump(arms))
    command = [*INVERSION, "--figures", "linear", "--arms", "none,fedavg-mine"]
    assert main(command) == 0
    rows = table(place / "inversion" / "inversion.csv")
    assert "fedavg-mine" in {row["case"] for row in rows}


@pytest.mark.slow
def test_membership_writes_a_roc_numbers_and_a_page(place):
    assert main(MEMBERSHIP) == 0
    folder = place / "membership"
    assert {path.name for path in folder.iterdir()} == {
        "membership_none.png", "membership_none.svg", "membership_dp-image.png",
        "membership_dp-image.svg", "membership.csv", "membership.md", "parts",
    }  # fmt: skip
    rows = table(folder / "membership.csv")
    assert len(rows) == 2 * 2 * 3 * 2  # arms, models, attacks, false-positive rates
    spent = {row["arm"]: row["epsilon"] for row in rows}
    assert spent["none"] == ""
    assert float(spent["dp-image"]) > 0
    # 4 federations × 30 non-members: far too few for either rate.
    assert {(row["members"], row["non_members"]) for row in rows} == {("120", "120")}
    assert {row["tpr"] for row in rows} == {""}
    assert all(0 <= float(row["auc"]) <= 1 for row in rows)
    assert "too few non-members" in (folder / "membership.md").read_text()


def test_membership_goes_on_where_it_was_killed(place, monkeypatch):
    command = [*MEMBERSHIP, "--arms", "none"]
    assert main(command) == 0
    folder = place / "membership"
    before = (folder / "membership.csv").read_bytes()
    for path in (folder / "membership.csv", folder / "parts" / "none_2.npz"):
        path.unlink()
    trained = []
    federate = attacked.federate

    def counted(*given):
        trained.append(given)
        return federate(*given)

    monkeypatch.setattr(attacked, "federate", counted)
    assert main(command) == 0
    assert len(trained) == 1
    assert (folder / "membership.csv").read_bytes() == before


def test_under_masks_there_is_no_update_of_one_client(place):
    Path("params").mkdir()
    link = {"secure_aggregation": {"bound": 10.0}}
    arms = {"masked": {"algorithm": "fedavg", "chain": {"links": link}}}
    Path("params/algorithms.yaml").write_text(yaml.safe_dump(arms))
    assert main([*MEMBERSHIP, "--clients", "3", "--arms", "masked"]) == 0
    rows = table(place / "membership" / "membership.csv")
    assert {row["model"] for row in rows} == {"global model"}


@pytest.mark.parametrize("command", [INVERSION, MEMBERSHIP])
@pytest.mark.parametrize("arm", ["local", "centralized"])
def test_arms_that_send_nothing_are_not_attacked(place, capsys, command, arm):
    """The update of `local` was attacked, which no server ever sees."""
    Path("params").mkdir()
    Path("params/algorithms.yaml").write_text(yaml.safe_dump({arm: {"algorithm": arm}}))
    assert main([*command, "--arms", arm]) == 2
    assert f"the arm {arm} exchanges nothing" in capsys.readouterr().err
    assert not place.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([*INVERSION, "--figures", "batchs"], "did you mean `batches`?"),
        ([*INVERSION, "--figures", ","], "argument --figures: ',' names nothing"),
        ([*INVERSION, "--arms", ","], "argument --arms: ',' names nothing"),
        ([*INVERSION, "--batches", "0"], "different numbers from 1 to 10,000"),
        ([*INVERSION, "--clients", "2"], "clients"),
        ([*INVERSION, "--batches", "10001"], "different numbers from 1 to 10,000"),
        ([*INVERSION, "--iterations", "1000001"], "Input should be less than or equal to 1000000"),
        ([*INVERSION, "--images", "50"], "lower --images"),
        ([*MEMBERSHIP, "--shadows", "2"], "shadows"),
        ([*MEMBERSHIP, "--clients", "29"], "too few patients for 29 clients"),
        ([*MEMBERSHIP, "--arms", "none,none"], "twice"),
        ([*INVERSION, "--arms", "none,mine"], "mine: none of the built-in protections (none, clip"),
        ([*MEMBERSHIP, "--arms", "mine"], "params/algorithms.yaml, which has all other arms"),
    ],
)
def test_a_mistake_is_one_line(place, capsys, command, words):
    try:
        status = main(command)
    except SystemExit as stop:  # of an option that is out of its range
        status = stop.code
    assert status == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1]
    assert said[-1].startswith("medfl")
    assert ": error: " in said[-1]
    assert not place.exists()
