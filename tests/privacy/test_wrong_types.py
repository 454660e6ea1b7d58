"""Values of wrong types, handed to the public classes of privacy, are refused in one sentence."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from federations import small_store, split_of

from medfl import DPFederatedLearning, FederatedConfig, SecureAggregator
from medfl.errors import MedflError
from medfl.privacy.encryption import (
    CkksSettings,
    CkksWorkers,
    EncryptedSum,
    EncryptingHospital,
    HospitalKeys,
    SimulatedEncryption,
)
from medfl.privacy.sealed.identities import KeyDirectory, SigningIdentity
from medfl.privacy.sealed.refusals import SERVER
from medfl.privacy.secure_aggregation import (
    AggregationClient,
    AggregationServer,
    ProtocolSettings,
    SimulatedAggregation,
    hash_of_model,
)

# What a number, and what a whole number, cannot be; and how messages quote it.
NO_NUMBER = {"'three'": "three", "None": None, "True": True, "of type list": [1.0, 2.0]}
NOT_WHOLE = {**NO_NUMBER, "2.5": 2.5, "nan": math.nan, "of type Tensor": torch.tensor(3.0)}
UPDATES = {client: np.ones(4) for client in range(3)}
RUN = {"num_clients": 3, "rounds": 1, "local_steps": 2}
NOISE = {"noise_multiplier": 1.0}


def refused(call, words):
    """A ``MedflError`` of one line that has ``words``."""
    with pytest.raises(MedflError) as error:
        call()
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "kind", "values"),
    [
        ("clients", "a whole number", NOT_WHOLE),
        ("bound", "a number", NO_NUMBER),
        ("colluding", "a whole number", NOT_WHOLE),
        ("threshold", "a whole number", {"'2'": "2", "2.0": 2.0, "False": False}),
        ("value_bits", "a whole number", NOT_WHOLE),
        ("weight_bits", "a whole number", NOT_WHOLE),
        ("ring_bits", "a whole number", {"'32'": "32", "32.0": 32.0}),
        ("sparse", "True or False", {"'no'": "no", "0": 0, "None": None}),
        ("seed", "a whole number", NOT_WHOLE),
    ],
)
def test_settings_of_secure_aggregator(key, kind, values):
    for said, value in values.items():
        given = {"clients": 3, key: value}
        refused(lambda given=given: SecureAggregator(**given), f"{key} must be {kind}, not {said}.")


@pytest.mark.parametrize("bound", [math.nan, math.inf])
def test_a_bound_that_is_not_finite(bound):
    refused(lambda: SecureAggregator(3, bound), "bound must be a number from 1e-100 to 1e+100")


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        (list(UPDATES.values()), "updates must be a dictionary by client"),
        (None, "updates must be a dictionary by client, such as {0: …, 1: …}, not None."),
        ({"0": np.ones(4)}, "each client of updates must be a whole number, not '0'."),
        ({True: np.ones(4)}, "each client of updates must be a whole number, not True."),
        ({**UPDATES, 1: np.ones(3)}, "the update of client 1 has 3 entries, and those before it"),
        ({**UPDATES, 1: [1.0] * 4}, "must be a vector of floating point. It is client 1's"),
        ({**UPDATES, 1: None}, "must be a vector of floating point. It is client 1's"),
        ({**UPDATES, 1: np.array(["a"] * 4)}, "must be a vector of floating point. It is client"),
        ({**UPDATES, 1: torch.ones(4).bfloat16()}, "must be a vector of floating point. It is"),
        ({**UPDATES, 1: torch.ones(4).to_sparse()}, "must be a vector of floating point. It is"),
        ({**UPDATES, 1: np.full(4, np.nan)}, "NaN or infinite coordinates"),
    ],
)
def test_updates(updates, words):
    refused(lambda: SecureAggregator(3).aggregate(updates), words)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, 1, 1], "weights must be a dictionary by client"),
        ("111", "weights must be a dictionary by client, such as {0: …, 1: …}, not '111'."),
        ({0: 1, 1: 1}, "client 2 has no weight"),
        ({0: 1, 1: "7777", 2: 1}, "weight must be a number, not of type str. It is client 1's"),
        ({0: 1, 1: None, 2: 1}, "weight must be a number, not of type NoneType. It is client 1's"),
        ({0: 1, 1: True, 2: 1}, "weight must be a number, not of type bool. It is client 1's"),
        ({0: 1, 1: math.nan, 2: 1}, "is below half a weight_unit (1), or no number"),
    ],
)
def test_weights(weights, words):
    refused(lambda: SecureAggregator(3).aggregate(UPDATES, weights), words)


@pytest.mark.parametrize("model", ["x", object(), {}, True, [[1.0], [1.0, 2.0]]])
def test_a_model_is_numbers(model):
    aggregator = SecureAggregator(3)
    refused(lambda: aggregator.aggregate(UPDATES, model=model), "model must be an array of numbers")
    weights = {0: np.float32(1), 1: np.int64(1), 2: 1}
    assert aggregator.aggregate(UPDATES, weights, np.ones(4))[1] == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        *(
            ({key: value}, f"{key} must be a whole number, not {said}.")
            for key in ("clients", "degree", "unit_bits")
            for said, value in NOT_WHOLE.items()
        ),
        ({"modulus_bits": None}, "modulus_bits must be the bits of each prime, such as (54, 54)"),
        ({"modulus_bits": "54"}, "modulus_bits must be the bits of each prime"),
        ({"modulus_bits": (54, "54")}, "each of modulus_bits must be a whole number, not '54'."),
        ({"modulus_bits": (54.0, 54)}, "each of modulus_bits must be a whole number, not 54.0."),
        ({"modulus_bits": (54,)}, "needed are two or more"),
        ({"modulus_bits": (70, 30)}, "each must be 20 to 60"),
        ({"modulus_bits": (19, 54)}, "each must be 20 to 60"),
    ],
)
def test_settings_of_ckks(given, words):
    refused(lambda: CkksSettings(**{"clients": 3, **given}), words)


@pytest.fixture(scope="module")
def ckks():
    """Keys of three hospitals, and a round of them."""
    settings = CkksSettings(3)
    server, own = SigningIdentity(SERVER), [SigningIdentity(number) for number in range(3)]
    directory = KeyDirectory(server.public, {k: one.public for k, one in enumerate(own)})
    rounds, keys = SimulatedEncryption(range(3), settings), HospitalKeys.draw(settings)
    rounds.open(1, range(3), b"model")
    return SimpleNamespace(
        settings=settings,
        directory=directory,
        rounds=rounds,
        keys=keys,
        identity=own[0],
        hospital=EncryptingHospital(own[0], directory, keys),
        summed={
            "identity": server,
            "directory": directory,
            "public": keys.public,
            "settings": settings,
            "context": CONTEXT,
            "clients": range(3),
        },
    )


VALUES = np.arange(4)
CONTEXT = bytes(32)
MODEL = hash_of_model(b"model")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: SimulatedEncryption(3, c.settings), "clients must be their numbers, such as"),
        (lambda c: SimulatedEncryption("012", c.settings), "clients must be their numbers"),
        (
            lambda c: SimulatedEncryption([0, 1, 1], c.settings),
            "each there once, and are [0, 1, 1].",
        ),
        (lambda c: SimulatedEncryption([0, "1"], c.settings), "each of clients must be a whole"),
        (lambda c: SimulatedEncryption(range(3), None), "settings must be of CkksSettings, not"),
        (lambda c: SimulatedEncryption(range(3), c.settings, "x"), "configuration must be bytes"),
        (lambda c: SimulatedEncryption(range(3), c.settings, b"", "2"), "processes must be a wh"),
        (lambda c: c.rounds.open("1", range(3), b""), "number must be a whole number, not '1'."),
        (lambda c: c.rounds.open(1, None, b""), "clients must be their numbers"),
        (lambda c: c.rounds.open(1, range(3), "model"), "model must be bytes, not 'model'."),
        (lambda c: c.rounds.encrypt("0", VALUES), "client must be a whole number, not '0'."),
        (lambda c: c.rounds.encrypt(7, VALUES), "there is no client 7."),
        (lambda c: c.rounds.encrypt(0, [1, 2]), "must be a vector of whole numbers"),
        (lambda c: c.rounds.encrypt(0, np.ones(4)), "must be a vector of whole numbers"),
        (lambda c: c.rounds.encrypt(0, VALUES, np.ones(3, bool)), "each of the 4 numbers"),
        (lambda c: c.rounds.encrypt(0, VALUES, [True] * 4), "a NumPy vector of 4 booleans"),
        (lambda c: c.rounds.encrypt(0, VALUES, np.ones(4)), "a NumPy vector of 4 booleans"),
        (lambda c: c.rounds.add("message"), "it must be bytes, not str"),
        (lambda c: CkksWorkers(None), "keys must be of HospitalKeys, not None."),
        (lambda c: HospitalKeys.draw((54, 54)), "settings must be of CkksSettings, not of type"),
        (
            lambda c: EncryptingHospital(0, c.directory, c.keys),
            "identity must be of SigningIdentity, not 0.",
        ),
        (
            lambda c: EncryptingHospital(c.identity, {}, c.keys),
            "directory must be of KeyDirectory, not of type dict.",
        ),
        (lambda c: c.hospital.encrypt(b"x", VALUES), "context must have 32 bytes, not 1."),
        (lambda c: c.hospital.read_sum(CONTEXT, b"", 1.0), "length must be a whole number, not 1."),
        (lambda c: c.hospital.read_sum(CONTEXT, b"", -1), "length must be 0 or more, not -1."),
        (lambda c: EncryptedSum(**c.summed | {"context": None}), "context must be bytes, not No"),
        (lambda c: EncryptedSum(**c.summed | {"public": "key"}), "public must be bytes, not 'key'"),
        (lambda c: EncryptedSum(**c.summed | {"clients": 3}), "clients must be their numbers"),
        (lambda c: EncryptedSum(**c.summed, length=2.5), "length must be a whole number, not 2.5."),
        (lambda c: EncryptedSum(**c.summed, length=2, open_numbers=3), "from 0 to the length"),
        (lambda c: SigningIdentity("0"), "sender must be a whole number, not '0'."),
        (lambda c: SigningIdentity(0, "secret"), "private must be bytes, not of type str."),
        (lambda c: KeyDirectory(None, {}), "the key of the server must be bytes, not None."),
        (lambda c: KeyDirectory(bytes(32), [1]), "clients must be a dictionary by client"),
        (lambda c: KeyDirectory(bytes(32), {0: "x"}), "the key of client 0 must be bytes"),
    ],
)
def test_what_ckks_is_given(ckks, call, words):
    refused(lambda: call(ckks), words)


def opened(number=1, clients=range(3), model=MODEL, length=None, gone=()):
    rounds = SimulatedAggregation(range(3), ProtocolSettings())
    rounds.open(number, clients, model, length, gone)
    return rounds


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: ProtocolSettings(dropouts="0.1"), "dropouts must be a number, not '0.1'."),
        (lambda c: ProtocolSettings(configuration="x"), "configuration must be bytes, not 'x'."),
        (lambda c: SimulatedAggregation(3, ProtocolSettings()), "clients must be their numbers"),
        (lambda c: SimulatedAggregation(range(3), None), "settings must be of ProtocolSettings"),
        (lambda c: opened(number="1"), "number must be a whole number, not '1'."),
        (lambda c: opened(clients=None), "clients must be their numbers"),
        (lambda c: opened(clients=[0, 1, 1]), "each there once, and are [0, 1, 1]."),
        (lambda c: opened(model=None), "model must be bytes, not None."),
        (lambda c: opened(length="4"), "length must be a whole number, not '4'."),
        (lambda c: opened(gone=1), "who is gone: clients must be their numbers"),
        (lambda c: opened().mask([0], VALUES), "client must be a whole number, not of type list."),
        (
            lambda c: AggregationServer(c.identity, None, ProtocolSettings()),
            "directory must be of KeyDirectory, not None.",
        ),
        (
            lambda c: AggregationClient(0, c.directory, ProtocolSettings()),
            "identity must be of SigningIdentity, not 0.",
        ),
        (lambda c: hash_of_model("model"), "is of bytes, such as `array.data`, not of type str."),
    ],
)
def test_what_the_protocol_of_masks_is_given(ckks, call, words):
    refused(lambda: call(ckks), words)


@pytest.mark.parametrize("value", ["x", 2.5, [1], True])
@pytest.mark.parametrize("section", ["chain", "privacy", "federated_learning", "training"])
def test_a_section_that_holds_no_settings(section, value):
    refused(lambda: DPFederatedLearning({**RUN, section: value}, NOISE), section)
    refused(lambda: DPFederatedLearning({**RUN, "chain": {"links": value}}, NOISE), "links is ")


def test_a_validated_section_is_one():
    chain = FederatedConfig(chain={"links": {"clip": {"norm": 1.0}}}, num_clients=3).chain
    learning = DPFederatedLearning({**RUN, "chain": chain}, NOISE)
    assert learning.config.chain.links == {"clip": {"norm": 1.0}, "dp_image": NOISE}


def test_a_store_and_a_split_are_what_they_are_called():
    learning, store = DPFederatedLearning(RUN, NOISE), small_store(60)
    refused(lambda: learning.train(store, "split.csv"), "the split is of type str: give what Med")
    refused(lambda: learning.train("store", split_of(store, [8, 16, 12])), "the store is of type")
