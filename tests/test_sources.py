"""Which sources count for what."""

from __future__ import annotations

from medfl import sources as followed
from medfl.datasets.code import SKIPPED, dataset_sha
from medfl.sources import source_sha, with_imports


def names(*roots: str) -> set[str]:
    return {name.removeprefix("medfl.") for name in with_imports(roots)}


def test_a_run_counts_its_engine_and_what_that_imports_and_no_more():
    found = names("medfl.federated", "medfl.algorithms.fedprox")
    assert {"federated.server", "federated.trainer", "algorithms.fedprox"} <= found
    assert {"algorithms.base", "store.store", "partition.split", "models.classifier"} <= found
    assert not {"algorithms.moon", "algorithms.scaffold", "cli", "errors", "registry"} & found
    assert not any(name.startswith(("report", "datasets")) for name in found)
    # The table of codes says how images are augmented; nothing else of imaging is in a run.
    assert {name for name in found if name.startswith("imaging")} == {"imaging.codes"}


def test_tables_count_nothing_that_deals_samples_or_trains():
    found = names("medfl.report")
    assert {"report.tables", "partition.scheme"} <= found
    assert not {"partition.folds", "partition.split", "partition.asked"} & found
    assert not any(name.startswith(("federated", "algorithms")) for name in found)


def test_imports_through_a_package_reach_the_module_that_holds_the_name():
    # medfl.partition re-exports Split: the file is found, not only the package.
    assert "partition.split" in names("medfl.federated.data")
    # So is a name that a room hands on.
    home = followed._resolve("medfl.imaging.dicom", "DicomPreprocessor")
    assert home == ["medfl.imaging.dicom.preprocess"]


def test_imports_are_found_by_their_lines_where_python_finds_them():
    for file in followed.PACKAGE.rglob("*.py"):
        parsed = [entry for entry in followed.parsed(file) if entry[1].split(".")[0] == "medfl"]
        assert sorted(followed._import_statements(file)) == sorted(parsed), file


def test_datasets_count_their_own_reader():
    assert dataset_sha("phantom") != dataset_sha("ham10000")
    assert dataset_sha("ham10000") == dataset_sha("ham10000-64")


def test_the_configuration_counts_for_runs_and_splits_and_not_for_stores():
    """Its defaults that no key shows, and what its methods answer, are in the numbers of a run."""
    settings = {"config.sections", "config.augmentation", "config.run"}
    assert settings <= names("medfl.federated")
    assert "config.sections" in names("medfl.partition")
    roots = ["medfl.datasets.catalog.ham10000", "medfl.store.build"]
    assert not any(name.startswith("medfl.config") for name in with_imports(roots, SKIPPED))


def test_an_edit_changes_the_hash_of_what_uses_it(tmp_path, monkeypatch):
    package = tmp_path / "medfl"
    (package / "room").mkdir(parents=True)
    (package / "room" / "__init__.py").write_text("from medfl.room.a import f\n")
    (package / "room" / "a.py").write_text("def g():\n    from medfl import b\n")
    (package / "b.py").write_text("x = 1\n")
    (package / "c.py").write_text("from medfl.room import f\n")
    monkeypatch.setattr(followed, "PACKAGE", package)

    def sha(module: str) -> str:
        followed.forget()
        return source_sha(module)

    try:
        assert with_imports(["medfl.c"]) == ["medfl.b", "medfl.c", "medfl.room.a"]
        before = sha("medfl.c"), sha("medfl.b")
        (package / "b.py").write_text("x = 2\n")
        after = sha("medfl.c"), sha("medfl.b")
        assert after[0] != before[0]
        assert after[1] != before[1]
        before = sha("medfl.b")
        (package / "room" / "a.py").write_text("# an import inside a function counts too\n")
        assert sha("medfl.b") == before
    finally:
        followed.forget()
