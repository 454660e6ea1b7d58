"""One description of a run: flat or in sections, and one message for a mistake."""

from __future__ import annotations

import pytest
import yaml

from medfl.config import FederatedConfig, data_root, did_you_mean, validate
from medfl.errors import MedflError
from medfl.federated.fingerprint import fingerprint


def write(tmp_path, content):
    path = tmp_path / "run.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_flat_keys_are_the_sections_keys():
    flat = FederatedConfig(
        algorithm="fedprox",
        algorithm_params={"mu": 0.1},
        rounds=7,
        learning_rate=0.2,
        model="resnet18",
        normalization="group",
        seed=3,
    )
    nested = FederatedConfig(
        federated_learning={"algorithm": "fedprox", "algorithm_params": {"mu": 0.1}, "rounds": 7},
        training={"learning_rate": 0.2},
        model={"name": "resnet18", "normalization": "group"},
        seed=3,
    )
    assert flat == nested
    assert fingerprint(flat) == fingerprint(nested)
    assert flat.arm == "fedprox"
    assert flat.training.batch_size == 32


def test_null_says_something_for_the_number_of_clients_only():
    assert FederatedConfig(num_clients=None).federated_learning.num_clients is None
    assert FederatedConfig().federated_learning.num_clients == 10
    assert FederatedConfig(rounds=None, training=None).federated_learning.rounds == 20


def test_a_file_round_trips(tmp_path):
    config = FederatedConfig(algorithm="scaffold", rounds=3, local_steps=4, device="cpu")
    again = FederatedConfig.read(write(tmp_path, config.model_dump(mode="json")))
    assert again == config


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ({"training": {"learnign_rate": 1}}, ["training.learnign_rate", "`learning_rate`"]),
        ({"trainin": {}}, ["`trainin`", "did you mean `training`"]),
        ({"lerning_rate": 1}, ["did you mean `learning_rate`"]),
        ({"training": {"learning_rate": -1}}, ["training.learning_rate", "greater than 0"]),
        ({"training": {"learning_rate": float("nan")}}, ["training.learning_rate", "finite"]),
        ({"training": {"learning_rate": "fast"}}, ["training.learning_rate", "'fast'"]),
        ({"training": {"optimizer": "sdg"}}, ["training.optimizer", "'sgd'", "'sdg'"]),
        ({"training": {"lr_milestones": [50, 75]}}, ["lr_milestones", "fractions"]),
        ({"federated_learning": {"rounds": 0}}, ["federated_learning.rounds", "got 0"]),
        (
            {"federated_learning": {"local_epochs": 1, "local_steps": 1}},
            ["local_epochs or local_steps, not both"],
        ),
        (
            {"federated_learning": {"num_clients": 3, "clients_per_round": 4}},
            ["clients_per_round is 4", "only 3 clients"],
        ),
        ({"split": {"val_fraction": 0.5, "test_fraction": 0.5}}, ["nothing to train on"]),
        ({"seed": -1}, ["`seed`"]),
        ({"seed": True}, ["`seed`", "a number is meant", "(got True)"]),
        ({"training": {"batch_size": "8x"}}, ["training.batch_size", "'8x'"]),
        ({"training": {"device": "quantum"}}, ["choose auto, cpu, cuda", "'quantum'"]),
        ({"training": {"patch": 0}}, ["`training.patch`: Input should be greater than or equal"]),
        ({"training": {"threads": 10**6}}, ["training.threads", "1024"]),
        ({"training": {"workers": 0}}, ["training.workers", "or equal to 1", "'auto'", "got 0"]),
        ({"training": {"workers": "all"}}, ["training.workers", "'auto'", "got 'all'"]),
        (
            {"training": {"workers": 2, "threads": 3}},
            ["`training`: workers is 2 and threads 3", "set one of the two to 1"],
        ),
        ({"model": {"name": "my nets"}}, ["model.name", "or my_package.module:MyNet"]),
        ({"federated_learning": {"rounds": -1}}, ["federated_learning.rounds", "got -1"]),
        ({"federated_learning": []}, ["`federated_learning`: a section of keys is meant"]),
        ({"privacy": "none"}, ["`privacy`: a section of keys is meant; for its defaults leave it"]),
        ({"privacy": False}, ["`privacy`: a section of keys is meant", "(got False)"]),
        ({"federated_learning": {"algorithm": "..:x"}}, ["algorithm", "my_package.module:MyClass"]),
        ({"privacy": {"mechanism": "hope"}}, ["privacy.mechanism"]),
        (
            {"privacy": {"encryption": "hope"}},
            ["`privacy.encryption`: ", ", or Input should be 'ckks', or ", " (got 'hope')"],
        ),
    ],
)
def test_a_mistake_is_one_message(tmp_path, content, messages):
    path = write(tmp_path, content)
    with pytest.raises(MedflError) as error:
        FederatedConfig.read(path)
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for message in messages:
        assert message in text
    assert text.count(str(path)) == 1


def test_on_and_off_are_read_as_they_are_written(tmp_path):
    for word in ("on", "off", "auto"):
        path = write(tmp_path, f"training: {{mixed_precision: {word}, learning_rate: 1e-3}}")
        training = FederatedConfig.read(path).training
        assert (training.mixed_precision, training.learning_rate) == (word, 0.001)


def test_an_unknown_key_from_python():
    with pytest.raises(ValueError, match="learnign_rate"):
        FederatedConfig(learnign_rate=1)


def test_a_device_given_later_is_checked_too():
    with pytest.raises(MedflError, match=r"--device.*choose auto, cpu, cuda"):
        FederatedConfig().with_device("meta")


def test_two_mistakes_are_both_named(tmp_path):
    path = write(tmp_path, {"training": {"learnign_rate": 1, "batch_size": 0}})
    with pytest.raises(MedflError, match=r"learnign_rate.*; .*batch_size|batch_size.*; .*learnign"):
        FederatedConfig.read(path)


@pytest.mark.parametrize("content", ["just words", "- a\n- list\n", "", "# nothing\n"])
def test_a_file_that_is_no_mapping(tmp_path, content):
    with pytest.raises(MedflError, match="must hold sections"):
        FederatedConfig.read(write(tmp_path, content))


def test_suggestions():
    assert did_you_mean("fedprx", ["fedavg", "fedprox"]) == "; did you mean `fedprox`?"
    assert did_you_mean("FedAvg", ["fedavgm", "fedavg"]) == "; did you mean `fedavg`?"
    assert did_you_mean("IID", ["iid", "site"]) == "; did you mean `iid`?"  # as papers write it
    assert did_you_mean("SCAFOLD", ["scaffold", "site"]) == "; did you mean `scaffold`?"
    assert did_you_mean("zzz", ["b", "a"]) == "; known: a, b."
    assert did_you_mean("zzz", []) == "; none is known here."
    assert validate(FederatedConfig, {"rounds": 2}, "x").federated_learning.rounds == 2


def test_the_data_root(monkeypatch):
    monkeypatch.delenv("MEDFL_DATA", raising=False)
    assert str(data_root()) == "data"
    monkeypatch.setenv("MEDFL_DATA", "elsewhere")
    assert str(data_root()) == "elsewhere"
    assert str(data_root("given")) == "given"
