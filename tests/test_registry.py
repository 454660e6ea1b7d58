"""One idea of a registry: names, a person's own classes, parameters, sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from medfl.errors import MedflError
from medfl.registry import HyperParams, Registry, sources

OWN = """
import json
from collections import OrderedDict
from pydantic import BaseModel, Field
from medfl.registry import HyperParams
from own_base import Base

class Mine(Base):
    class Params(HyperParams):
        strength: float = Field(1.0, ge=0)

    def __init__(self, **params):
        self.params = self.Params(**params)

class Fails(Base):
    def __init__(self, **params):
        raise KeyError("lost")

class Takes(Base):
    def copy(self, deep):
        return self

class Forgets(Base):
    class Params(HyperParams):
        pass

class Bad(OrderedDict):
    Params = 5

class Lax(OrderedDict):
    class Params(BaseModel):
        strength: float = 1.0

def build(number):
    return number

constant = 3
"""
BASE = "from collections import UserDict\nclass Base(UserDict):\n    pass\n"

# Any package with modules will do for the built-in side: the standard library's json.
CODECS = Registry(
    "codec",
    package="json",
    base="collections:UserDict",
    names={"decoder": "decoder:JSONDecoder", "encoder": "encoder:JSONEncoder"},
)
ANYTHING = Registry("builder", package="json", names={})


@pytest.fixture
def folder(tmp_path, own_module):
    own_module("own_module", OWN)
    own_module("own_base", BASE)
    own_module("own_failure", "x = 1\ny = 1 / 0\n")
    own_module("own_import", "\n\nimport no_such_thing\n")
    return tmp_path


def test_built_in_names():
    import json

    assert CODECS.available() == list(CODECS) == ["decoder", "encoder"]
    assert "decoder" in CODECS
    assert "decodr" not in CODECS
    assert CODECS.load("encoder") is json.encoder.JSONEncoder
    with pytest.raises(MedflError, match=r"unknown codec `decodr`; did you mean `decoder`\?"):
        CODECS.load("decodr")
    with pytest.raises(MedflError, match=r"known: decoder, encoder.*my_package.module:MyClass"):
        CODECS.check_name("x.y")


@pytest.mark.usefixtures("folder")
def test_an_own_class_and_its_parameters():
    kind = CODECS.load("own_module:Mine")
    assert kind.__name__ == "Mine"
    assert CODECS.create("own_module:Mine", {"strength": 2}).params.strength == 2.0
    CODECS.check_params("own_module:Mine", {}, "here")
    with pytest.raises(MedflError, match=r"here: unknown key `strenth`; did you mean `strength`"):
        CODECS.check_params("own_module:Mine", {"strenth": 1}, "here")
    with pytest.raises(MedflError, match=r"the codec `own_module:Mine`: `strength`: .*equal to 0"):
        CODECS.create("own_module:Mine", {"strength": -1})
    with pytest.raises(
        MedflError, match=r"cannot be built: KeyError: 'lost' \(in Fails.__init__, l"
    ):
        CODECS.create("own_module:Fails", {})
    with pytest.raises(MedflError, match=r"`own_module:Forgets` must call super\(\).__init__"):
        CODECS.create("own_module:Forgets", {})
    with pytest.raises(MedflError, match=r"`copy` does not take .*write `def copy\(self\)`"):
        CODECS.load("own_module:Takes")
    assert ANYTHING.load("own_module:build")(4) == 4
    with pytest.raises(MedflError, match=r"here: unknown key `number`; none is known here"):
        ANYTHING.check_params("own_module:build", {"number": 1}, "here")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_module:Mien", "the codec `own_module:Mien` cannot be loaded: AttributeError: "),
        ("own_failure:Mine", r"ZeroDivisionError: division by zero \(line 2 of own_failure.py\)\."),
        ("own_import:Mine", r"No module named 'no_such_thing' \(line 3 of own_import.py\)\."),
        ("nowhere:Mine", "No module named 'nowhere'. The module must be importable from the fold"),
        ("own_module:build", "`own_module:build` is not a subclass of collections.UserDict"),
        ("own_module:constant", "`own_module:constant` is not a subclass of collections.UserDict"),
        ("own module:Mine", "unknown codec `own module:Mine`"),
    ],
)
def test_a_class_that_is_none_is_one_sentence(name, message):
    with pytest.raises(MedflError, match=message) as error:
        CODECS.load(name)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_called_builds_nothing():
    with pytest.raises(MedflError, match="`own_module:constant` is neither a class nor a function"):
        ANYTHING.load("own_module:constant")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["Bad", "Lax"])  # pydantic's own base ignores unknown keys
def test_parameters_are_read_by_a_class_that_refuses_unknown_ones(name):
    message = rf"`{name}\.Params` must be a subclass of medfl\.registry\.HyperParams"
    with pytest.raises(MedflError, match=message):
        ANYTHING.check_params(f"own_module:{name}", {}, "here")
    with pytest.raises(MedflError, match=message):
        ANYTHING.create(f"own_module:{name}", {"strenght": 2})


def test_a_folder_is_looked_into_first(folder):
    other = folder / "other"
    other.mkdir()
    (other / "own_module.py").write_text("def build(number):\n    return -number\n")
    assert ANYTHING.load("own_module:build", [other])(4) == -4


def test_sources_are_the_modules_of_medfl_and_a_persons_own_files(folder):
    files = (Path("own_module.py").resolve(), Path("own_base.py").resolve())
    assert CODECS.sources("own_module:Mine") == ((), files)
    # A function has no base class, but its module imports one.
    assert ANYTHING.sources("own_module:build").files == files
    assert CODECS.sources("decoder") == (("json.decoder",), ())
    assert sources(HyperParams) == (("medfl.registry", "medfl.config.numbers"), ())
    assert sources(Field) == ((), ())
