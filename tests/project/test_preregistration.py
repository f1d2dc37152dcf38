"""The preregistration sheet: written before the ratings are in, or not at all; nothing in it is guessed."""

import json
import re

import pandas as pd
import pytest
from saved_results import (
    save_assignment,
    save_clusters,
    save_embedding,
    save_images,
    save_ratings,
    save_sample,
)

import visclust as vc
from visclust.base.provenance import digest_file
from visclust.commands import main

STUDY = 'name = "march"\nimages = "photos"\nitems = { pride = ["proud"] }\n'


@pytest.fixture
def study(tmp_path):
    """Give the folder of a study up to its assignment; nobody has rated."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "study.toml").write_text(STUDY)
    results = tmp_path / "results"
    results.mkdir()
    save_images(results)
    for step in (save_embedding, save_clusters, save_sample, save_assignment):
        step(results)
    return tmp_path


def save_ratings_of_people(study):
    save_ratings(study / "results")
    made_up = study / "results" / "simulated_ratings.parquet"
    ratings = vc.read_table(made_up, "ratings").assign(simulated=False)
    made_up.unlink()
    vc.save_table(ratings, study / "ratings.parquet", "ratings")
    (study / "study.toml").write_text(f'{STUDY}ratings = "ratings.parquet"\n')


def test_the_sample_and_the_assignment_stand_in_it_with_seeds_and_digests(study):
    sheet = vc.write_preregistration(study)
    for name in ("sample", "assignment"):
        path = study / "results" / f"{name}.parquet"
        row = sheet.files.set_index("file").loc[path.name]
        record = vc.read_provenance(path)
        assert (row["seed"], row["digest"], row["sha256"]) == ("0", record["core"], digest_file(path))
        assert digest_file(path) in sheet.text
    assert "Outcomes: the means of the dimensions pride" in sheet.text
    assert "by the weighting clusters" in sheet.text
    assert "no rating of people was found in rating_answers/ or the tables of the results" in sheet.text


def test_what_is_stated_stands_in_it_and_what_is_not_has_a_place_that_says_so(study):
    bare = vc.write_preregistration(study)
    assert bare.text.count("NOT STATED") == 3  # hypotheses, exclusions, margin
    assert "components (the standard deviations of an earlier survey)" in bare.text
    assert bare.power.empty
    full = vc.write_preregistration(
        study,
        hypotheses=["Flags make people proud.", "Crowds do not."],
        exclusions=["Who takes less than 2 seconds an image."],
        margin=0.3,
        weighting="images",
    )
    assert "NOT STATED" not in full.text
    assert "**Hypothesis 2.** Crowds do not." in full.text
    assert "**Exclusion 1.** Who takes less" in full.text
    assert "within 0.3 points of 0" in full.text
    assert "Robustness, reported whatever comes of it: clusters, corpus, mixed model." in full.text


def test_power_is_that_of_the_assignment(study):
    components = pd.DataFrame({"respondent_sd": [1.2], "group_image_sd": [0.3], "residual_sd": [1.5]})
    sheet = vc.write_preregistration(study, components=components, difference=1.0)
    images = vc.read_table(study / "results" / "assignment.parquet", "assignment")["image_id"].nunique()
    expected = vc.power_for_contrast(
        components, difference=1.0, n_images=images, per_respondent=3, respondents=[4]
    )
    assert sheet.power["power"].tolist() == pytest.approx(expected["power"].tolist())
    assert "With 4 respondents in the smallest group, 3 images each" in sheet.text
    assert "the components that were given" in sheet.text
    made_up = vc.write_preregistration(study, components=components.assign(simulated=True), difference=1.0)
    assert "standard deviations from SIMULATED ratings" in made_up.text


def test_ratings_of_people_that_are_there_are_refused_or_said_at_the_head(study):
    save_ratings_of_people(study)
    with pytest.raises(
        ValueError, match=r"not in yet, got one with ratings: ratings\.parquet, which study\.toml"
    ):
        vc.write_preregistration(study)
    assert not (study / "results" / "preregistration.md").exists()
    sheet = vc.write_preregistration(study, rated="say")
    head = sheet.text.split("## Hypotheses")[0]
    assert "NO PREREGISTRATION: when this was written there were ratings" in head
    assert "NO PREREGISTRATION" in sheet.page.read_text()
    assert "ratings given" not in set(sheet.counts["what"])


def test_answers_on_the_server_are_ratings_too_and_simulated_ones_are_not(study):
    save_ratings(study / "results")
    sheet = vc.write_preregistration(study)
    assert "SIMULATED ones are in simulated_ratings.parquet" in sheet.ratings
    folder = study / "results" / "rating_answers"
    folder.mkdir()
    row = {"event_id": "e", "item_id": "i", "annotator": "r1", "answer": "{}", "seconds": 1.0,
           "answered_at": "2026-01-05T10:00:00.000Z"}  # fmt: skip
    (folder / "r1.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=r"got one with ratings: 1 answer in rating_answers/"):
        vc.write_preregistration(study)


def test_contrasts_of_people_show_that_ratings_were_there(study):
    columns = {"weighting": "clusters", "level": "emotion", "item": "proud", "group": "a", "reference": "b"}
    numbers = dict.fromkeys(("estimate", "standard_error", "low", "high", "p", "p_adjusted"), 0.5)
    table = pd.DataFrame([{**columns, **numbers, "simulated": False}])
    vc.save_table(table, study / "results" / "group_contrasts.parquet", "group_contrasts")
    with pytest.raises(ValueError, match=r"group_contrasts\.parquet"):
        vc.write_preregistration(study)


def test_a_study_without_sample_and_assignment_has_an_incomplete_sheet_that_says_so(tmp_path):
    save_images(tmp_path)
    sheet = vc.write_preregistration(tmp_path)
    assert "INCOMPLETE: clusters.parquet (missing), sample.parquet (missing)" in sheet.text
    assert sheet.files.set_index("file")["sha256"].iloc[1:].eq("").all()


def test_a_stale_sample_is_not_announced(study):
    save_ratings(study / "results")
    save_clusters(study / "results", k=6)
    sheet = vc.write_preregistration(study)
    assert "simulated_ratings.parquet (stale)" not in sheet.text  # of no concern for what is announced
    assert "INCOMPLETE: sample.parquet (stale), assignment.parquet (stale)" in sheet.text
    assert sheet.files.set_index("file").loc["sample.parquet", "sha256"] == ""


def test_the_same_sheet_again_keeps_its_earlier_date_and_another_puts_it_aside(study):
    first = vc.write_preregistration(study)
    again = vc.write_preregistration(study)
    assert again.text == first.text
    second = vc.write_preregistration(study, hypotheses=["Flags make people proud."])
    assert second.text != first.text
    kept = [path for path in second.markdown.parent.glob("preregistration_*.md") if path.is_file()]
    assert [path.read_text() for path in kept] == [first.text]
    assert len(list(second.markdown.parent.glob("preregistration_*.html"))) == 1


def test_a_sheet_that_was_changed_by_hand_is_not_overwritten(study):
    sheet = vc.write_preregistration(study)
    sheet.markdown.write_text(sheet.text.replace("NOT STATED", "Flags make people proud", 1))
    with pytest.raises(ValueError, match="it was changed since"):
        vc.write_preregistration(study)
    assert "Flags make people proud" in sheet.markdown.read_text()
    other = vc.write_preregistration(study, save_to=study / "plan.md")
    assert (other.markdown.name, other.page.name) == ("plan.md", "plan.html")


def test_texts_in_a_sheet_are_shown_and_never_obeyed(study):
    sheet = vc.write_preregistration(study, hypotheses=["<script>alert(1)</script> [a](javascript:b) | c"])
    assert "<script" not in sheet.text
    assert "<script" not in sheet.page.read_text()
    assert not re.search(r"(?<!\\)\[a(?<!\\)\]", sheet.text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"weighting": "parties"}, "Expected one of clusters, images, corpus, mixed model as weighting"),
        ({"margin": -0.5}, "Expected a margin above 0"),
        ({"difference": 0}, "Expected a difference other than 0"),
        ({"level": 95}, "Expected level to be a number between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(study, wrong, said):
    with pytest.raises(ValueError, match=said):
        vc.write_preregistration(study, **wrong)
    assert not (study / "results" / "preregistration.md").exists()


def test_the_command_writes_it_says_what_is_open_and_refuses_late_ones(study, capsys, monkeypatch):
    monkeypatch.delenv("VISCLUST_STUDY", raising=False)
    assert (
        main(["preregister", str(study), "--hypothesis", "Flags make people proud.", "--margin", "0.3"]) == 0
    )
    said = capsys.readouterr().out
    assert str(study / "results" / "preregistration.md") in said
    assert "1 of its entries are not stated yet" in said
    save_ratings_of_people(study)
    assert main(["preregister", str(study)]) == 2
    assert "whose ratings are not in yet" in capsys.readouterr().err
    assert main(["preregister", str(study), "--although-rated"]) == 0
