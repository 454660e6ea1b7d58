"""JSON files that are damaged: whoever reads one meets an OSError or a ValueError, nothing else."""

import json
import math

import pytest

from medfl.files import OWN_HASH, is_whole, load_json, own_hash, parse_json, read_json, write_json

DAMAGE = {
    "brackets": "[" * 100_000,
    "braces": '{"a":' * 100_000,
    "cut": '{"a": [1, 2',
    "empty": "",
    "a huge number": f'{{"a": {"9" * 5000}}}',
}


@pytest.mark.parametrize("text", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_a_value_error(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    for read, source in ((load_json, path), (parse_json, text)):
        with pytest.raises(ValueError, match=r".") as error:
            read(source)
        assert len(str(error.value)) < 200
    assert read_json(path) == {}


def test_bytes_of_another_encoding_and_a_missing_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="utf-8"):
        load_json(path)
    with pytest.raises(FileNotFoundError):
        load_json(tmp_path / "b.json")
    assert read_json(path) == read_json(tmp_path / "b.json") == {}


def test_a_record_is_an_object(tmp_path):
    path = tmp_path / "a.json"
    for text, record in (('{"a": 1}', {"a": 1}), ("[1]", {}), ("null", {}), ('"a"', {})):
        path.write_text(text)
        assert read_json(path) == record


# What one writer of JSON spells in another way than the other, or cannot hold.
VALUES = (1e-05, 1.5e16, -0.0, 5e-324, 0.1, 10**16, 2**64, -(2**70), "é", "\u2028", "a/b\\", [], {})


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_file_says_the_same_however_it_is_read(tmp_path, value):
    path, record = tmp_path / "a.json", {"b": value, "a": [value, {"é": value}]}
    write_json(path, record)
    read = load_json(path)
    assert read == record
    assert [*read] == ["b", "a"]
    assert type(read["b"]) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, read["b"]) == math.copysign(1, value)
    record[OWN_HASH] = own_hash(record)
    assert is_whole(record)
    assert not is_whole(record | {"a": [value]})
    text = json.dumps(record, sort_keys=True, indent=7)
    path.write_text(text)
    assert is_whole(load_json(path))


def test_a_key_that_stands_twice_is_refused_in_every_layout(tmp_path):
    path = tmp_path / "a.json"
    for text in ('{"a": 1, "a": 1}', '{\n  "a": 1,\n  "a": 1\n}\n', '{\n  "a": {},\n  "a": 2\n}\n'):
        path.write_text(text)
        with pytest.raises(ValueError, match="a second time"):
            load_json(path)
