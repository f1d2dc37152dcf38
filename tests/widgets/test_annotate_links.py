"""The secret links of people who label."""

import hmac
import json
import os

import pytest

from visclust.widgets import annotate_links
from visclust.widgets.annotate_links import LINKS_FILE, LinkBook

STUDY = [("Ana", "annotator"), ("Ben", "annotator")]


def test_each_person_has_one_long_link_that_is_the_same_after_a_restart(tmp_path):
    new = LinkBook(tmp_path).name_people(STUDY)
    assert [len(one.token) for one in new] == [48, 48]
    assert new[0].token != new[1].token
    again = LinkBook(tmp_path)
    assert again.name_people(STUDY) == []
    assert again.people == new
    assert again.find(new[1].token).name == "Ben"


@pytest.mark.parametrize("wrong", ["", "0" * 48, "x" * 10**5, "\ud800", "é"])
def test_a_link_that_is_wrong_is_nobodys(tmp_path, wrong):
    links = LinkBook(tmp_path)
    links.name_people(STUDY)
    assert links.find(wrong) is None
    assert links.find(links.people[0].token + "0") is None
    assert links.find(links.people[0].token[:-1]) is None


def test_a_link_is_compared_with_all_and_in_constant_time(tmp_path, monkeypatch):
    links = LinkBook(tmp_path)
    (ana, _) = links.name_people(STUDY)
    compared = []
    monkeypatch.setattr(
        annotate_links.hmac, "compare_digest", lambda a, b: compared.append(len(a)) or hmac_compare(a, b)
    )
    assert links.find(ana.token) == ana
    assert compared == [32, 32]


hmac_compare = hmac.compare_digest


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_only_its_owner_reads_the_file_of_links_even_if_it_was_copied_with_other_rights(tmp_path):
    links = LinkBook(tmp_path)
    links.name_people(STUDY)
    assert links.path.stat().st_mode & 0o777 == 0o600
    links.path.chmod(0o644)
    again = LinkBook(tmp_path)
    assert again.is_private
    assert links.path.stat().st_mode & 0o777 == 0o600


def test_one_person_has_one_link_however_the_name_is_spelt(tmp_path):
    links = LinkBook(tmp_path)
    new = links.name_people(
        [("Ana Ruiz", "annotator"), ("ana  ruiz ", "annotator"), ("ANA RUIZ", "annotator")]
    )
    assert [one.name for one in new] == ["Ana Ruiz"]
    assert links.add(" ana ruiz") == new[0]


def test_who_is_no_longer_named_loses_the_link_and_gets_it_back_with_the_name(tmp_path):
    links = LinkBook(tmp_path)
    _, ben = links.name_people(STUDY)
    links.name_people(STUDY[:1])
    assert links.find(ben.token) is None
    assert [one.name for one in links.people] == ["Ana"]
    links.name_people(STUDY)
    assert links.find(ben.token) == ben


def test_who_was_added_stays_until_removed(tmp_path):
    links = LinkBook(tmp_path)
    links.name_people(STUDY)
    dora = links.add("Dora")
    links.name_people(STUDY[:1])
    assert links.find(dora.token) == dora
    links.remove("dora")
    assert links.find(dora.token) is None
    with pytest.raises(ValueError, match="nobody of this name has one"):
        links.remove("Dora")
    with pytest.raises(ValueError, match=r"study\.toml or the assignment names them"):
        links.remove("Ana")


def test_a_renewed_link_ends_the_old_one(tmp_path):
    links = LinkBook(tmp_path)
    ana, _ = links.name_people(STUDY)
    new = links.renew("ana")
    assert links.find(ana.token) is None
    assert links.find(new.token) == new
    with pytest.raises(ValueError, match=r"someone who has a link \(Ana, Ben\), got 'Zoe'"):
        links.renew("Zoe")


def test_a_server_takes_in_who_was_added_beside_it(tmp_path):
    running = LinkBook(tmp_path)
    running.name_people(STUDY)
    dora = LinkBook(tmp_path).add("Dora")
    assert running.find(dora.token) == dora


def test_a_typed_name_never_gives_away_the_link_of_someone_else(tmp_path):
    links = LinkBook(tmp_path)
    links.name_people(STUDY)
    assert links.open("ANA") is None
    eve = links.open("Eve")
    assert links.open(" eve") == eve
    # Named later, she is who the study means: what was typed before no longer opens her page.
    (named,) = links.name_people([*STUDY, ("Eve", "annotator")])
    assert named.token != eve.token
    assert links.find(eve.token) is None


def test_names_that_are_typed_are_bounded_in_length_and_number(tmp_path, monkeypatch):
    monkeypatch.setattr(annotate_links, "MOST_OPEN", 2)
    links = LinkBook(tmp_path)
    for name in ("", "  ", "x" * 101, "a\x07b", None, 3, ["a"]):
        with pytest.raises(ValueError, match="name"):
            links.open(name)
    assert links.open("a")
    assert links.open("b")
    assert links.open("c") is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"people": {}, "x": 1', '{"people": [{"name": "a"}]}', '{"people": [[]]}',
     '{"people": [{"name": "a", "role": "annotator", "token": "short", "named": true, "made_at": ""}]}'],
)  # fmt: skip
def test_a_damaged_file_of_links_is_said_and_never_made_anew(tmp_path, text):
    (tmp_path / LINKS_FILE).write_text(text)
    with pytest.raises(ValueError, match="it is damaged"):
        LinkBook(tmp_path)
    assert (tmp_path / LINKS_FILE).read_text() == text


def test_a_file_of_links_damaged_while_people_label_leaves_their_links_as_they_were(tmp_path):
    links = LinkBook(tmp_path)
    ana, _ = links.name_people(STUDY)
    whole = links.path.read_text()
    links.path.write_text(whole[:-40])
    assert links.find(ana.token) == ana
    assert "is damaged" in links.trouble
    with pytest.raises(ValueError, match="Mend it"):
        links.add("Dora")
    links.path.write_text(whole)
    assert links.find(ana.token) == ana
    assert links.trouble == ""


def test_names_with_quotes_and_other_scripts_come_back_as_they_were(tmp_path):
    names = ['Zoë "Z" <b>', "李雷", "O'Neil"]
    LinkBook(tmp_path).name_people([(name, "annotator") for name in names])
    assert [one.name for one in LinkBook(tmp_path).people] == names
    assert len(json.loads((tmp_path / LINKS_FILE).read_text())["people"]) == 3
