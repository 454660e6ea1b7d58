"""Names are planted in what medfl reads again: no command shows one, whatever is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medfl.cli import main
from tests.planted import contents, csv, leaks, pictures

NAME = "Zzhuber Anneliese"
DESCRIPTION = "folder: ../../raw\nsize: 8\ntable: labels.csv\ncolumns: {attributes: [age]}\n"
RUN = """
dataset: mine
partition: iid
federated_learning: {algorithm: fedavg, num_clients: 2, rounds: 1}
training: {batch_size: 8, learning_rate: 0.05, device: cpu}
keep: {predictions: true}
"""
GRID = """
datasets: [mine]
partitions: [iid]
arms: [fedavg]
seeds: [0]
arms_file: params/arms.yaml
num_clients: 2
output_dir: results
run:
  federated_learning: {rounds: 1}
  training: {batch_size: 8, learning_rate: 0.05, device: cpu}
  keep: {predictions: true}
"""
STORE, SPLIT, TRAINED = "data/prepared/mine", "data/splits/mine/iid/clients2/seed0.csv", "results"
FOLDER = f"{TRAINED}/runs/mine/iid/fedavg/seed0"
DEAL = ["split", "mine", "--partition", "iid", "--num-clients", "2", "--output"]
TRAIN = ["run", "--grid", "params/grid.yaml", "--dataset", "mine", "--partition", "iid"]
TRAIN += ["--arm", "fedavg", "--seed", "0", "--split", SPLIT, "--output-dir", FOLDER]
AGGREGATE = ["aggregate", "--grid", "params/grid.yaml"]
REPORT = ["report", "--grid", "params/grid.yaml", "--partial"]
INSPECT = ["inspect", STORE, "--output-dir", "card"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A store of pictures that are called by their patients, with a split and a run of it."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("params/datasets").mkdir(parents=True)
        rows = pictures(folder, 36)
        for number, row in enumerate(rows):
            row[2] = f"{row[2]} {number // 2}"
        Path("params/datasets/mine.yaml").write_text(DESCRIPTION)
        Path("params/datasets/labels.csv").write_text(csv(rows))
        Path("params/grid.yaml").write_text(GRID)
        Path("params/arms.yaml").write_text("fedavg: {algorithm: fedavg}\n")
        Path("params/run.yaml").write_text(RUN)
        for command in (["prepare", "mine"], [*DEAL, SPLIT], TRAIN, AGGREGATE):
            assert main(command) == 0
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def shows_none(place, capfd) -> Callable[..., str]:
    """Write damaged content, call commands, and look for names in all that they say and write."""

    def run(file: str, content: str | bytes, *commands: list[str]) -> str:
        whole = Path(file).read_bytes() if Path(file).exists() else None
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_bytes(content if isinstance(content, bytes) else content.encode())
        before = contents(place)
        capfd.readouterr()
        for command in commands:
            main(command)
        said = "".join(capfd.readouterr())
        assert "Traceback" not in said
        assert leaks(place, said, before) == []
        if whole is not None:
            Path(file).write_bytes(whole)
        return said

    return run


def test_the_whole_way_shows_none(place):
    assert leaks(place, "") == []


def changed(table: str, column: int, value: str, only: int | None = None) -> str:
    """The table with another value in one of its columns, in all rows or in one."""
    head, *rows = (line.split(",") for line in table.splitlines())
    for number, row in enumerate(rows):
        if only in (None, number):
            row[column] = value
    return csv(rows, ",".join(head))


def damaged(table: str) -> list[str | bytes]:
    """The table, damaged as a whole in several ways, with a name where it is."""
    first, rest = table.split("\n", 1)
    return [
        *(table + NAME, table + f'"{NAME}\n', f"{NAME}\n{table}", table[:60] + NAME),
        *(first.replace(",", f",{NAME}", 1) + "\n" + rest, f"{first},{NAME}\n{rest}", NAME),
        *(b"\xff\xfe" + f"{NAME}\n{table}".encode(), f"{NAME}\0{table}", f"{first}\n{NAME}\n"),
        *(f"{table}{NAME},{NAME},{NAME}\n" * 2, rest),
    ]


def test_a_damaged_table_of_a_store(shows_none):
    path = f"{STORE}/samples.csv"
    table = Path(path).read_text()
    tables = damaged(table)
    for column in range(table.split("\n")[0].count(",") + 1):
        tables += [changed(table, column, NAME), changed(table, column, NAME, 2)]
    for content in tables:
        said = shows_none(path, content, INSPECT, [*DEAL, "other.csv"], TRAIN, ["verify"])
        assert "damaged" in said
        assert "medfl: error" in said


def test_other_damaged_files_of_a_store(shows_none):
    path = f"{STORE}/dataset.yaml"
    text = Path(path).read_text()
    cases: list[tuple[str, str | bytes]] = [
        (path, text.replace(old, new, 1))
        for old, new in (
            *(("- sick", f"- {NAME}"), ("task: multiclass", f"task: {NAME}")),
            *(("channels: []", f"channels: {NAME}"), ("synthetic: false", f"synthetic: {NAME}")),
            *(("mean:", f"mean: {NAME}\nx:"), ("notes: ''", f"notes: '{NAME}")),
            *(("notes: ''", f"{NAME}: 3"), ("images_sha256: ", f"images_sha256: {NAME}")),
        )
    ]
    assert len({content for _, content in cases}) == len(cases)
    cases += [(path, f"{NAME}\n{text}"), (path, f"x: *{NAME}\n{text}"), (path, f"- {NAME}")]
    header = b"\x93NUMPY\x01\0v\0{'descr': '" + NAME.encode() + b"'}"
    cases += [(f"{STORE}/images.npy", header), (f"{STORE}/images.npy", NAME * 9)]
    cases += [("data/private/pseudonym.key", NAME * 9)]
    for file, content in cases:
        commands = [["prepare", "mine", "--force"]] if file.endswith(".key") else [INSPECT, TRAIN]
        assert "medfl: error" in shows_none(file, content, *commands)
    for content in (NAME, f'["{NAME}"]', f'{{"settings": "{NAME}", "warnings": 3}}', f"{{{NAME}"):
        shows_none(f"{STORE}/prepare.json", content, INSPECT, ["prepare", "mine"])


def test_damaged_splits(shows_none):
    table = Path(SPLIT).read_text()
    tables = damaged(table)
    for column in range(3):
        tables += [changed(table, column, NAME), changed(table, column, NAME, 2)]
        tables += [changed(table, column, "19570313", 2)]
    given = ["run", "--config", "params/run.yaml", "--split", "given/theirs.csv"]
    for content in tables:
        shows_none("given/theirs.csv", content, [*given, "--output-dir", "one"])
        shutil.rmtree("one", ignore_errors=True)
    for content in tables[:6]:
        shows_none(SPLIT, content, TRAIN, REPORT, ["verify"], [*DEAL, SPLIT])
    record = json.loads(Path(SPLIT).with_suffix(".heterogeneity.json").read_text())
    for content in (NAME, f"{{{NAME}", json.dumps([NAME]), *spoilt(record)):
        file = SPLIT.replace(".csv", ".heterogeneity.json")
        shows_none(file, content, [*TRAIN, "--overwrite"], ["verify"])


def spoilt(record: dict[str, object]) -> list[str]:
    """The record with a name in the place of each number or section."""
    wrong = [key for key, value in record.items() if not isinstance(value, str | None)]
    return [json.dumps({**record, key: NAME}) for key in wrong]


def test_damaged_runs(shows_none):
    record = json.loads(Path(FOLDER, "metrics.json").read_text())
    kinds = [("metrics.json", content) for content in spoilt(record)]
    kinds += [
        ("metrics.json", json.dumps({**record, key: NAME}))
        for key in ("dataset", "partition", "arm", "status", "schema", "primary")
    ]
    kinds += [("metrics.json", json.dumps({**record, "test": {NAME: 1}})), ("metrics.json", NAME)]
    kinds += [("metrics.json", json.dumps(record)[:300] + NAME), ("predictions.npz", NAME * 9)]
    for name in ("rounds.csv", "clients.csv"):
        table = Path(FOLDER, name).read_text()
        kinds += [(name, content) for content in damaged(table)[:8]]
        kinds += [(name, changed(table, column, NAME, 0)) for column in range(4)]
    for name, content in kinds:
        verify = ["verify", "--results", TRAINED]
        shows_none(f"{FOLDER}/{name}", content, AGGREGATE, verify)
    for content in (f"{NAME}: x\n", f"dataset: '{NAME}", f"- {NAME}\n", f"seed: {NAME}\n"):
        shows_none(f"{FOLDER}/config.yaml", content, TRAIN, ["verify", "--results", TRAINED])


def test_descriptions_with_mistakes(place, shows_none):
    (place / "raw" / "Zzhuber").mkdir()
    for text in (
        *("folder: ../../raw/Zzfile\n", "table: Zzhuber.csv\n", "files: 'Zzhuber*.dcm'\n"),
        *("folder: ../../raw/Zzhuber\n", "folder: ../../raw/Zzhuber\nformat: dicom-series\n"),
        *("labels: {map: {Zzhuber: [a]}}\n", "labels: {Zzhuber: a}\n", "Zzhuber: a\n"),
        *("patient: {pattern: '(Zzhuber'}\n", "patient: {pattern: '(?P<a>Zzhuber)(?P=Zzhuber)'}\n"),
        *("modalities: {a: '{id}/Zzhuber.png', b: 'Zzhuber/{id}'}\n", "size: Zzhuber\n"),
        *("fold: {level: 1, map: {a: Zzhuber}}\n", "site: {map: {Zzhuber: {a: b}}}\n"),
        *("patient: {unknown: {Zzhuber: 1}}\n", "title: 'Zzhuber\n", "a: *Zzhuber\n"),
        *("patient: {level: Zzhuber}\n", "labels: {ignore: {Zzhuber: 1}}\n", "frame: Zzhuber\n"),
    ):
        folder = "" if "folder:" in text else "folder: ../../raw\n"
        prepare = ["prepare", "mine", "--force"]
        said = shows_none("params/datasets/mine.yaml", folder + text, prepare)
        assert "medfl: error: " in said
        assert "mine.yaml" in said or "raw/…" in said or "files" in said or "modalities" in said
