"""``benchmarks/gpu.py`` on a CPU: it does not rot, and never takes a CPU for a GPU."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.on_gpu import clients, jobs
from benchmarks.on_gpu.budget import Budget, NoTimeError
from benchmarks.on_gpu.measuring import Peak, Settings, attempt, full, small
from benchmarks.on_gpu.ways import FIRST, WAYS, batchable
from benchmarks.on_gpu.work import Shape
from benchmarks.results_file import read_record
from benchmarks.timing import ROOT, Result, environment
from medfl.errors import MedflError

CPU = torch.device("cpu")
TINY = Shape("cnn", 16, False, 2, 1, 4)
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def tiny(monkeypatch):
    """The script's settings for a CPU, smaller still."""
    settings = Settings(CPU, ((TINY, 1.0),), 1, TINY, 1, (2,))
    monkeypatch.setattr(gpu, "small", lambda device, pairs: settings)
    return settings


def test_the_whole_script_runs_on_a_cpu_and_decides_nothing(tiny, tmp_path, capsys):
    path = tmp_path / "cpu.json"
    assert gpu.main(["--out", str(path), "--device", "cpu", "--seconds", "300"]) == 0
    record = read_record(path)
    (part,) = record.parts.values()
    assert list(record.parts) == ["gpu-on-cpu"]
    assert record.machine.gpu == ""
    names = {figure.name: figure for figure in part.figures}
    at = "cnn at 16², float32"
    measured = {f"CPU: {way} ÷ {FIRST}, {at}" for way in WAYS if way != FIRST}
    measured |= {f"CPU: round ÷ plain loop, {at}", f"CPU: runs an hour, {at}, 2 at a time"}
    measured |= {f"CPU: clients {FIRST}, {at}"}
    assert {name for name, figure in names.items() if figure.ratios} == measured
    assert {name for name, figure in names.items() if not figure.ratios} == {
        f"CPU: peak memory, round{words} ÷ plain loop, {at}" for words in ("", " kernel by kernel")
    }
    streams = names[f"CPU: CUDA streams ÷ {FIRST}, {at}"]
    assert streams.facts["same_bits"] is True
    assert "without streams: clients take turns" in streams.note
    assert part.words == [gpu.CPU]
    assert "no default is decided" in capsys.readouterr().out


@without_gpu
def test_without_a_gpu_it_is_one_sentence(tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path / "x.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: PyTorch ")
    assert "sees no GPU: nothing was measured, and no default is decided" in error
    assert list(tmp_path.iterdir()) == []


@without_gpu
def test_as_a_part_of_the_bench_it_is_skipped_with_the_reason():
    (only,) = gpu.run(3)
    assert (only.name, only.ratios, only.note) == ("GPU", [], gpu.NONE)


def test_a_file_is_not_written_over(tmp_path, capsys):
    (tmp_path / "x.json").write_text("")
    assert gpu.main(["--out", str(tmp_path / "x.json"), "--device", "cpu"]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--device", "tpu"], ["--seconds", "0"], ["--pairs", "0"]])
def test_bad_options_are_refused(tmp_path, words):
    with pytest.raises(SystemExit) as caught:
        gpu.main(["--out", str(tmp_path / "x.json"), *words])
    assert caught.value.code == 2


def test_batch_norm_that_can_be_batched_is_batch_norm():
    torch.manual_seed(0)
    usual, images = torch.nn.BatchNorm2d(3).train(), torch.randn(4, 3, 5, 5) * 3 + 1
    with torch.no_grad():
        usual.weight.uniform_(0.5, 2)
        usual.bias.normal_()
    other = batchable(copy.deepcopy(usual))
    for _ in range(2):
        torch.testing.assert_close(other(images), usual(images))
    torch.testing.assert_close(other.running_mean, usual.running_mean)
    torch.testing.assert_close(other.running_var, usual.running_var)


def test_what_does_not_fit_is_left_out_and_said(tiny):
    results = list(gpu.measure(tiny, 1e-9))
    assert len(results) == 5
    for result in results:
        assert result.ratios == []
        assert result.note == "did not fit: 0 s of this part's share are left"


def job(monkeypatch, folder, command):
    """Let a job be this command."""
    script = folder / "job"
    script.write_text(f"#!/bin/sh\n{command}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def test_jobs_that_take_too_long_are_ended(tiny, tmp_path, monkeypatch):
    job(monkeypatch, tmp_path, f"echo $$ >> {tmp_path}/ids; exec sleep 600")
    with pytest.raises(NoTimeError, match="2 jobs took longer than the 1 s left"):
        jobs.side_by_side(2, tmp_path, tiny, 1.0)
    for number in (tmp_path / "ids").read_text().split():
        assert not Path("/proc", number).exists()


def test_a_job_that_fails_says_why(tiny, tmp_path, monkeypatch):
    job(monkeypatch, tmp_path, "echo no memory >&2; exit 3")
    with pytest.raises(RuntimeError, match=r"^a job failed: no memory$"):
        jobs.side_by_side(2, tmp_path, tiny, 60.0)


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (NoTimeError("9 s are left"), "did not fit: 9 s are left"),
        (torch.OutOfMemoryError("x"), "does not fit into the GPU's memory"),
        (ModuleNotFoundError("No module", name="pydantic"), "needs the Python package pydantic"),
        (ValueError("bad\nshape"), "failed: ValueError: bad shape"),
    ],
)
def test_a_measurement_that_ends_early_says_why_after_its_figures(error, note):
    def measured():
        yield Result("first", [1.0])
        raise error

    first, last = attempt("whole", measured)
    assert first.name == "first"
    assert (last.name, last.ratios, last.note) == ("whole", [], note)


def test_one_way_that_fails_leaves_the_others(monkeypatch):
    def broken(work):
        raise RuntimeError("no kernel")

    monkeypatch.setitem(WAYS, "torch.func", broken)
    budget = Budget(300, {"x": 1})
    budget.open("x")
    found = {one.name: one for one in clients.run(small(CPU, 1), TINY, budget)}
    assert len(found) == len(WAYS)
    failed = [one.note for one in found.values() if not one.ratios]
    assert failed == ["failed: RuntimeError: no kernel"]


def test_without_pydantic_all_but_the_engine_is_measured(tmp_path):
    """On a bare machine: PyTorch, torchvision, numpy and PyYAML alone."""
    path = tmp_path / "bare.json"
    code = f"""
import importlib.util, sys
# As medfl imports it, where torchvision and PyTorch are not of one build.
spec = importlib.util.spec_from_file_location("alone", "medfl/models/torchvision_cpu.py")
alone = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alone)
alone.import_torchvision()
for name in ("pydantic", "pandas", "scipy", "sklearn", "safetensors", "psutil"):
    sys.modules[name] = None
import torch
from benchmarks import gpu
from benchmarks.on_gpu.measuring import Settings, Shape
net = Shape("resnet18", 16, False, 1, 1, 2)
one = Settings(torch.device("cpu"), ((net, 1.0),), 1, net, 1, (1,))
gpu.small = lambda device, pairs: one
raise SystemExit(gpu.main(["--out", {str(path)!r}, "--device", "cpu"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())["parts"]["gpu-on-cpu"]["figures"]
    measured = [one["name"] for one in figures if one["ratios"]]
    assert len(measured) == len(WAYS)
    skipped = {one["note"] for one in figures if not one["ratios"]}
    assert "needs the Python package pydantic" in skipped


def test_what_is_measured_on_a_gpu_is_what_was_asked_for():
    settings = full(torch.device("cuda"), 5)
    assert {(shape.network, shape.side) for shape, _ in settings.shapes} == {
        ("cnn", 28), ("resnet18", 28), ("resnet18", 64), ("efficientnet_b0", 224)
    }  # fmt: skip
    assert settings.jobs == (1, 2, 4)
    assert (settings.place, small(CPU, 1).place) == ("GPU", "CPU")


def test_a_cpu_has_no_memory_of_its_own():
    peak = Peak(CPU)
    assert peak.during(lambda: 3) == 3
    assert (peak.bytes, peak.words()) == (None, "")


@pytest.mark.gpu
def test_the_whole_script_runs_on_a_gpu(tmp_path):
    path = tmp_path / "gpu.json"
    assert gpu.main(["--out", str(path), "--pairs", "1", "--seconds", "300"]) == 0
    (part,) = read_record(path).parts.values()
    assert any(sentence.startswith("Verdict: ") for sentence in part.words)


def test_errors_of_medfl_end_it_with_one_line(monkeypatch, tmp_path, capsys):
    def fails(options):
        raise MedflError("no space left")

    monkeypatch.setattr(gpu, "_measured", fails)
    assert gpu.main(["--out", str(tmp_path / "x.json"), "--device", "cpu"]) == 2
    assert capsys.readouterr().err == "error: no space left\n"
