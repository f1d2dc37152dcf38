"""Answers that come back: what is new is added once, if it is their own, and all else is refused."""

import csv
import json

import pandas as pd
import pytest
from made_up_answers import make_row, make_undo

import visclust as vc
from visclust.annotation.answer_files import ANSWER_COLUMNS
from visclust.annotation.answer_import import import_files

LINE = (
    '{"event_id": "e0", "item_id": "p0", "annotator": "Zo\u00eb", "answer": "same", '
    '"answered_at": "2026-01-05T10:00:00.000Z", "seconds": 4.0}'
)


def write_rows(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_importing_a_file_again_or_a_longer_one_adds_only_what_is_new(tmp_path):
    short, long = tmp_path / "short.jsonl", tmp_path / "long.jsonl"
    rows = [
        make_row("e1"),
        make_row("e2", item_id="p2"),
        make_row("e3", item_id="p2", answer=None, retracts="e2"),
    ]
    short.write_text(json.dumps(rows[0]) + "\n")
    long.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store = tmp_path / "answers"
    assert vc.import_answers(short, store)[:2] == (1, 0)
    assert vc.import_answers(short, store)[:2] == (0, 1)
    assert vc.import_answers(long, store)[:2] == (2, 1)
    assert vc.current_answers(vc.read_answers(store))["item_id"].tolist() == ["p1"]


def test_a_csv_download_means_the_same_as_the_jsonl_one(tmp_path):
    rows = [make_row("e1", note='a "quoted", note\nof two lines – ü', left="a", right="b"),
            make_row("e2", answer=None, retracts="e1", seconds=None)]  # fmt: skip
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "two.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ANSWER_COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(
            {name: "" if value is None else value for name, value in row.items()} for row in rows
        )
    vc.import_answers(tmp_path / "one.jsonl", tmp_path / "from jsonl")
    vc.import_answers(tmp_path / "two.csv", tmp_path / "from csv")
    pd.testing.assert_frame_equal(
        vc.read_answers(tmp_path / "from jsonl"), vc.read_answers(tmp_path / "from csv")
    )


def test_a_file_of_two_annotators_is_sorted_into_their_files(tmp_path):
    path = tmp_path / "both.jsonl"
    rows = [make_row("e1"), make_row("e2", annotator="Ben"), make_row("e3", annotator="Ana", simulated=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = vc.import_answers(path, tmp_path / "answers")
    assert (done.added, len(done.files)) == (3, 3)
    assert vc.read_answers(tmp_path / "answers", simulated=False)["annotator"].tolist() == ["Ana", "Ben"]


@pytest.mark.parametrize("content", ['{"a": 1}\n', "3\n", json.dumps(make_row("e1", seconds="x")) + "\n"])
def test_a_file_that_holds_no_answers_is_refused_and_nothing_imported(tmp_path, content):
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps(make_row("e0")) + "\n" + content)
    with pytest.raises(ValueError, match="line 2"):
        vc.import_answers(path, tmp_path / "answers")
    assert not (tmp_path / "answers").exists()


def test_other_files_are_refused_with_what_was_expected(tmp_path):
    (tmp_path / "answers.xlsx").touch()
    with pytest.raises(ValueError, match=r"\.jsonl or \.csv"):
        vc.import_answers(tmp_path / "answers.xlsx", tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        vc.import_answers(tmp_path / "nowhere.jsonl", tmp_path)
    (tmp_path / "bad.csv").write_text("event_id,seconds\ne1,soon\n")
    with pytest.raises(ValueError, match="line 2"):
        vc.import_answers(tmp_path / "bad.csv", tmp_path)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp850", "mac-roman"])
def test_a_file_saved_in_another_encoding_is_refused_in_words_and_not_called_cut_off(tmp_path, encoding):
    path = tmp_path / "a.jsonl"
    path.write_bytes("".join(f"{LINE.replace('e0', f'e{n}')}\n" for n in range(5)).encode(encoding))
    for read in (vc.read_answers, lambda file: vc.import_answers(file, tmp_path / "answers")):
        with pytest.raises(ValueError, match=r"a\.jsonl as UTF-8 text, got bytes that are none in line 1"):
            read(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_mark_of_a_file_tells_its_encoding(tmp_path, encoding):
    (tmp_path / "a.jsonl").write_bytes(f"{LINE}\r\n".encode(encoding))
    header = "event_id,item_id,annotator,answer,answered_at"
    (tmp_path / "a.csv").write_bytes(f"{header}\ne1,p1,Zo\u00eb,same,2026-01-05T10:00:00Z\n".encode(encoding))
    for name in ("a.jsonl", "a.csv"):
        assert vc.import_answers(tmp_path / name, tmp_path / "answers").added == 1
    assert vc.read_answers(tmp_path / "answers")["annotator"].tolist() == ["Zo\u00eb"] * 2


def write_csv(path, simulated, name="test-run"):
    header = "event_id,item_id,annotator,answer,answered_at,seconds,simulated"
    path.write_text(f"{header}\ne1,p1,{name},same,2026-01-05T10:00:00Z,2.5,{simulated}\n")
    return path


@pytest.mark.parametrize("word", ["WAHR", "VRAI", "VERDADERO", "ИСТИНА", "1", "True"])
def test_a_mark_of_simulation_is_read_in_the_language_of_the_spreadsheet(tmp_path, word):
    vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")
    assert vc.read_answers(tmp_path / "answers")["simulated"].tolist() == [True]


@pytest.mark.parametrize("word", ["FALSCH", "FAUX", "", "0", "NO", "NA"])
def test_an_answer_that_is_not_simulated_is_a_persons(tmp_path, word):
    vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")
    assert vc.read_answers(tmp_path / "answers")["simulated"].tolist() == [False]


@pytest.mark.parametrize("word", ["vielleicht", "2", "simulated"])
def test_a_mark_of_simulation_that_is_no_word_for_it_is_refused(tmp_path, word):
    with pytest.raises(ValueError, match="true or false in simulated in line 2 of a"):
        vc.import_answers(write_csv(tmp_path / "a.csv", word), tmp_path / "answers")


def test_a_note_that_swallows_answers_is_an_error_that_names_the_line(tmp_path):
    header = "event_id,item_id,annotator,answer,answered_at,note"
    rows = "".join(
        f"e{n},p{n},ana,same,2026-01-05T10:00:00Z,{note}\n" for n, note in enumerate(['"x', "", 'y"'])
    )
    (tmp_path / "a.csv").write_text(f"{header}\n{rows}")
    with pytest.raises(ValueError, match="line 2 is none"):
        vc.import_answers(tmp_path / "a.csv", tmp_path / "answers")


# Whose the answers are.


def test_a_file_under_another_persons_name_is_refused_and_changes_nothing(tmp_path):
    store = tmp_path / "answers"
    vc.import_answers(write_rows(tmp_path / "ana.jsonl", make_row("e1"), make_row("e2", "p2")), store)
    before = vc.read_answers(store)
    as_ben = [make_row("e1", annotator="Ben"), make_row("e9", "p3", annotator="Ben")]
    with pytest.raises(ValueError, match=r"ben\.jsonl calls event e1 an answer of 'Ben', and ana-24d4b96f"):
        vc.import_answers(write_rows(tmp_path / "ben.jsonl", *as_ben), store)
    pd.testing.assert_frame_equal(vc.read_answers(store), before)


def test_nobody_takes_back_what_another_person_said(tmp_path):
    store = tmp_path / "answers"
    vc.import_answers(write_rows(tmp_path / "cem.jsonl", make_row("e1", annotator="Cem")), store)
    undo = make_undo("e2", "e1") | {"annotator": "Ben"}
    with pytest.raises(ValueError, match="in the name of 'Ben', but it is an answer of 'Cem'"):
        vc.import_answers(write_rows(tmp_path / "ben.jsonl", undo), store)
    both = [make_row("e5", annotator="Ben"), make_undo("e6", "e5") | {"annotator": "Dora"}]
    with pytest.raises(ValueError, match="in the name of 'Dora'"):
        vc.import_answers(write_rows(tmp_path / "both.jsonl", *both), store)
    assert vc.current_answers(vc.read_answers(store))["annotator"].tolist() == ["Cem"]


def test_whose_file_it_is_can_be_said_and_is_held(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", make_row("e1"), make_row("e2", annotator="Ben"))
    with pytest.raises(ValueError, match=r"Expected answers of 'ana' in a\.jsonl, got answers of 'Ben'"):
        vc.import_answers(path, tmp_path / "answers", annotator="ana")
    own = write_rows(tmp_path / "b.jsonl", make_row("e1"))
    assert vc.import_answers(own, tmp_path / "answers", annotator=" ANA ").added == 1


def test_one_person_in_two_spellings_is_one_file(tmp_path):
    store = tmp_path / "answers"
    names = ["Zo\u00eb", "zoe\u0308", "ZO\u00cb ", "\u200bZo\u00eb"]
    rows = [make_row(f"e{at}", f"p{at}", annotator=name) for at, name in enumerate(names)]
    assert len(vc.import_answers(write_rows(tmp_path / "a.jsonl", *rows), store).files) == 1
    with pytest.warns(UserWarning, match="taken for one person"):
        assert vc.read_answers(store)["annotator"].unique().tolist() == ["Zo\u00eb"]


def test_an_edited_answer_does_not_take_the_place_of_the_one_on_file(tmp_path):
    store = tmp_path / "answers"
    vc.import_answers(write_rows(tmp_path / "a.jsonl", make_row("e1")), store)
    for change in ({"answer": "different"}, {"item_id": "p7"}, {"simulated": True}):
        with pytest.raises(ValueError, match="The file was edited"):
            vc.import_answers(write_rows(tmp_path / "a.jsonl", make_row("e1") | change), store)


def test_several_files_are_checked_against_each_other(tmp_path):
    files = [
        write_rows(tmp_path / f"{name}.jsonl", make_row("e1", annotator=name)) for name in ("ana", "ben")
    ]
    with pytest.raises(ValueError, match=r"ben\.jsonl calls event e1"):
        import_files(files, tmp_path / "answers")


# Copies that are not whole.


def test_a_download_that_breaks_off_says_that_it_is_not_complete(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", make_row("e1"), make_row("e2"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(
        UserWarning, match=r"line 2 of a\.jsonl, which was cut off: this download or copy"
    ) as said:
        assert vc.import_answers(path, tmp_path / "answers").added == 1
    assert "acknowledged" not in str(said[0].message)  # it may well have been


def test_a_table_that_breaks_off_says_so(tmp_path):
    header = "event_id,item_id,annotator,answer,answered_at,seconds"
    row = "p1,ana,same,2026-01-05T10:00:00Z"
    (tmp_path / "a.csv").write_text(f"{header}\ne1,{row},1.5\ne2,{row}")
    with pytest.warns(UserWarning, match=r"line 3 of a\.csv, which was cut off"):
        assert vc.import_answers(tmp_path / "a.csv", tmp_path / "answers").added == 1


@pytest.mark.parametrize("content", ["hello", "<html>\n<p>\n", "PK\3\4 \0\n"])
def test_a_file_without_any_answer_is_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(ValueError, match="no line that can be read"):
        vc.import_answers(tmp_path / "a.jsonl", tmp_path / "answers")


def test_a_file_that_is_empty_is_said_to_be(tmp_path):
    (tmp_path / "a.jsonl").touch()
    with pytest.warns(UserWarning, match=r"a\.jsonl holds no answers"):
        assert vc.import_answers(tmp_path / "a.jsonl", tmp_path / "answers") == (0, 0, ())


def test_a_table_in_utf_16_that_breaks_off_is_not_called_another_encoding(tmp_path):
    text = "event_id,item_id,annotator,answer,answered_at\ne1,p1,ana,same,2026-01-05T10:00:00Z\n"
    (tmp_path / "a.csv").write_bytes(text.encode("utf-16")[:-1])
    with pytest.raises(ValueError, match=r"a\.csv as UTF-16 text.* cut off or damaged"):
        vc.import_answers(tmp_path / "a.csv", tmp_path / "answers")


def test_counters_that_a_spreadsheet_rounded_are_left_out_which_is_said(tmp_path):
    header = "event_id,item_id,annotator,answer,answered_at,counter"
    rows = [
        "e1,p1,ana,same,2026-01-05T10:00:00Z,1.76761E+10",
        "e2,p1,ana,different,2026-01-05T10:00:09Z,1.76761E+10",
    ]
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.warns(UserWarning, match=r"rounded 2 counters of a\.csv"):
        vc.import_answers(tmp_path / "a.csv", tmp_path / "answers")
    table = vc.read_answers(tmp_path / "answers")
    assert table["counter"].isna().all()
    assert vc.current_answers(table)["answer"].tolist() == ["different"]
