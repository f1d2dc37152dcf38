"""Files written in one step."""

import json

import pytest

import visclust as vc
from visclust.base.files import write_json, write_text


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = vc.write_atomically(tmp_path / "deep" / "note.txt", lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half of the n")
        raise RuntimeError("the machine said no")

    with pytest.raises(RuntimeError, match="said no"):
        vc.write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_text_is_written_as_utf_8_and_half_a_character_as_a_question_mark(tmp_path):
    assert write_text(tmp_path / "a.txt", "schön \ud83d").read_bytes() == "schön ?".encode()
    assert write_text(tmp_path / "b.csv", "a,b", encoding="utf-8-sig").read_bytes() == b"\xef\xbb\xbfa,b"


def test_json_comes_back_as_it_was(tmp_path):
    value = {"größe": [1, None, 0.5], "name": "a"}
    path = write_json(tmp_path / "a.json", value)
    assert json.loads(path.read_text(encoding="utf-8")) == value
    assert "größe" in path.read_text(encoding="utf-8")
