"""Who answered: one rule for names, and the files of those who were two people to an earlier version."""

import json
import shutil
import subprocess
import unicodedata

import pytest
from made_up_answers import make_row

import visclust as vc
from visclust.annotation.answer_files import append_answer, read_rows, unite_answer_files
from visclust.annotation.identity import (
    _name_file,
    clean_name,
    find_answer_file,
    is_same_person,
    list_former_files,
    name_answer_file,
)
from visclust.base.cells import fold_identity
from visclust.widgets.assets import load_asset

ALIKE = [
    ("ana", "Ana"), ("ANA", "ana"), (" Ana  B ", "ana b"), ("Ana\u00a0B", "Ana B"), ("Zoe\u0308", "Zo\u00eb"),
    ("ZOE\u0308", "zo\u00eb"), ("Jos\u00e9\u200b", "jose\u0301"), ("\ufeffAna", "Ana"), ("STRASSE", "straße"),
    ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"), ("ИВАН", "иван"), ("\u1e9e", "SS"),
    ("\u1ec6", "e\u0323\u0302"), ("각", "\u1100\u1161\u11a8"), ("Ana\tB", "ana b"), ("\u01c4", "\u01c6"),
]  # fmt: skip
APART = [
    ("Ana", "Aña"),
    ("Ana B", "AnaB"),
    ("Ana-B", "Ana B"),
    ("日本", "中国"),
    ("Ana", "Ana 2"),
    ("Anı", "Ani"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_differ_in_case_spaces_unseen_signs_or_typing_are_one_person(tmp_path, one, other):
    assert is_same_person(one, other)
    assert name_answer_file(tmp_path, one) == name_answer_file(tmp_path, other)


@pytest.mark.parametrize(("one", "other"), APART)
def test_names_that_differ_in_more_are_two_people(tmp_path, one, other):
    assert not is_same_person(one, other)
    assert name_answer_file(tmp_path, one) != name_answer_file(tmp_path, other)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_page_tells_people_apart_by_the_same_rule(tmp_path):
    start = load_asset("labelling_page.js").index("function foldName")
    script = load_asset("labelling_page.js")[start:]
    script = script[: script.index("\n}\n") + 3]
    letters = [chr(code) for code in range(0x21, 0x20000) if not 0xD800 <= code < 0xE000]
    changed = [(f"a{one}", fold_identity(f"a{one}")) for one in letters if unicodedata.category(one) != "Cn"]
    alike = [*ALIKE, *((one, other) for one, other in changed if one != other)]
    assert len(alike) > 2000
    pairs = [list(pair) for pair in alike + APART]
    (tmp_path / "fold.mjs").write_text(
        f"const pairs = {json.dumps(pairs)};\n{script}"
        "console.log(JSON.stringify(pairs.map(([one, other]) => foldName(one) === foldName(other))))"
    )
    said = subprocess.run(["node", tmp_path / "fold.mjs"], capture_output=True, check=True).stdout
    assert json.loads(said) == [True] * len(alike) + [False] * len(APART)


def test_a_name_is_shown_as_it_was_typed_but_for_spaces_and_accents():
    assert clean_name(" Zoe\u0308   Ana\u200b ") == "Zo\u00eb Ana"


@pytest.mark.parametrize("name", ["  ", "", "\u200b", "\ufeff \u00a0", None, 3])
def test_an_empty_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name as text"):
        name_answer_file(tmp_path, name)


def test_the_only_file_of_an_earlier_version_goes_on(tmp_path):
    former = _name_file(tmp_path, "Ana", simulated=False)
    append_answer(former, make_row())
    assert former.name == "ana-dea210f0.jsonl"  # as versions named it to which Ana and ana were two
    assert find_answer_file(tmp_path, "ANA") == former
    assert unite_answer_files(tmp_path, "ana") == (former, "")
    assert find_answer_file(tmp_path, "ben") == name_answer_file(tmp_path, "Ben")


def test_the_files_of_two_spellings_become_one_which_is_said_and_nothing_is_removed(tmp_path):
    for event, name in (("e1", "Ana"), ("e2", "ana"), ("e3", "ANA")):
        append_answer(
            _name_file(tmp_path, name, simulated=False), make_row(event, f"p{event}", annotator=name)
        )
    path, said = unite_answer_files(tmp_path, "Ana")
    assert [row["event_id"] for row in read_rows(path)] == ["e2", "e3", "e1"]
    assert "1 answers under the name 'Ana'" in said
    assert "1 answers under the name 'ANA'" in said
    assert len(list_former_files(tmp_path, "ana")) == 2
    assert unite_answer_files(tmp_path, "aNa") == (path, "")
    with pytest.warns(UserWarning, match="taken for one person: 'ANA'|taken for one person: 'Ana'"):
        table = vc.read_answers(tmp_path)
    assert len(table) == 3
    assert table["annotator"].nunique() == 1
