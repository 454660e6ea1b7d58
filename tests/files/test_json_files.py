"""JSON files that are damaged: whoever reads one meets an OSError or a ValueError, nothing else."""

import pytest

from medfl.files import load_json, parse_json, read_json

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
