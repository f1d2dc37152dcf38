"""The methods part of a paper: every number from a file that is named, nothing stale, nothing guessed."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from saved_results import (
    N,
    save_answers,
    save_assignment,
    save_clusters,
    save_contrasts,
    save_cross_validation,
    save_embedding,
    save_gold,
    save_images,
    save_invariance,
    save_measures,
    save_pairs,
    save_ratings,
    save_sample,
    save_scores,
)

import visclust as vc
from visclust.commands import main
from visclust.methods_account import NOT_YET
from visclust.methods_page import Page, mark_plain


@pytest.fixture
def folder(tmp_path):
    save_images(tmp_path)
    for step in (save_embedding, save_clusters, save_sample, save_assignment, save_ratings):
        step(tmp_path)
    return tmp_path


def find(table, by, name):
    """Give the one row of a report's table with this name."""
    rows = table[table[by] == name]
    assert len(rows) == 1, f"{len(rows)} rows of {name}"
    return rows.iloc[0]


def test_every_count_is_that_of_the_file_beside_it(folder):
    report = vc.write_methods(folder)
    sample = vc.read_table(folder / "sample.parquet", "sample")
    for what, count, file in (
        ("different images", N, "images.parquet"),
        ("clusters", 4, "clusters.parquet"),
        ("images drawn", len(sample), "sample.parquet"),
        ("respondents", 8, "assignment.parquet"),
        ("ratings given", 240, "simulated_ratings.parquet"),
    ):
        row = find(report.counts, "what", what)
        assert (row["count"], row["file"]) == (str(count), file)
    # Eight people with three images each, on ten items.
    assert report.counts["file"].ne("").all()
    assert report.decisions["file"].ne("").all()


def test_every_number_of_the_text_stands_before_the_file_that_it_is_from(folder):
    for part in vc.write_methods(folder).text.split("\n\n"):
        for sentence in re.findall(r"[^\[\]]*?(?:\[[^\]]*\])?\.(?:\s|$)", part):
            bare = re.sub(r"\[[^\]]*\]|95%|[\w/]+\.(?:parquet|npy|csv)|\d\d_\w+", "", sentence)
            if re.search(r"\d", bare):
                assert re.search(r"\[[^\]]*(parquet|npy|answers/)", sentence), sentence


def test_each_decision_has_the_papers_choice_ours_and_whose_record_says_so(folder):
    decisions = vc.write_methods(folder).decisions
    row = find(decisions, "decision", "Images per cluster")
    assert row["ours"] == "min(2, N - 1)"
    assert "N = 6 is undefined" in row["paper"]
    assert (row["like_paper"], row["file"]) == ("differs", "sample.parquet")
    assert find(decisions, "decision", "K")["ours"] == "4"
    assert find(decisions, "decision", "Method")["like_paper"] == "differs"  # one k-means
    assert find(decisions, "decision", "Images per respondent")["ours"] == "3"
    assert "2.65" in find(decisions, "decision", "Ratings of an image")["paper"]
    assert find(decisions, "decision", "Seed of the sample")["paper"] == "not known here"


def test_settings_of_the_iterative_method_are_held_against_the_papers(tmp_path):
    images = save_images(tmp_path)
    save_embedding(tmp_path)
    x = vc.load_embedding(tmp_path / "embeddings", name="pretrained", image_ids=images["image_id"])
    result = vc.cluster_iteratively(x, step_size=7, similarity_threshold=0.02, stop_size=3, seed=5)
    vc.save_table(vc.assign_clusters(images, result), tmp_path / "clusters.parquet", "clusters")
    decisions = vc.write_methods(tmp_path).decisions.set_index("decision")
    assert decisions.loc["Step of K", ["ours", "like_paper"]].tolist() == ["7", "differs"]
    assert decisions.loc["Similarity threshold", ["ours", "like_paper"]].tolist() == [
        "0.02",
        "as in the paper",
    ]
    assert decisions.loc["Seed of the clustering", "ours"] == "5"
    assert decisions.loc["Embedding that was clustered", "ours"] == "embeddings/pretrained.npy"


def test_what_is_not_there_is_not_done_yet_and_names_what_to_run(tmp_path):
    save_images(tmp_path)
    report = vc.write_methods(tmp_path)
    for what, notebook in (("clusters", "04_cluster_images"), ("gold", "05_label_pairs")):
        row = find(report.counts, "what", f"(all of {what}.parquet)")
        assert (row["count"], NOT_YET in row["note"], notebook in row["note"]) == ("", True, True)
    later = report.decisions[report.decisions["step"] != "Corpus"]
    assert set(later["ours"]) == {NOT_YET}
    assert "first label pairs in 05_label_pairs" in report.text
    assert report.agreement.empty
    assert "There are no answers in the folder" in report.markdown.read_text() or NOT_YET in report.text


def test_a_folder_without_any_file_is_told_as_such(tmp_path):
    report = vc.write_methods(tmp_path)
    assert set(report.decisions["ours"]) == {NOT_YET}
    assert report.files.empty
    assert "No record names any." in report.markdown.read_text()


def test_nothing_is_taken_from_a_stale_file_and_it_is_said_at_the_head(folder):
    save_clusters(folder, k=6)
    report = vc.write_methods(folder)
    assert find(report.counts, "what", "clusters")["count"] == "6"
    row = find(report.counts, "what", "(all of sample.parquet)")
    assert row["count"] == ""
    assert row["note"].startswith("STALE, so nothing is taken from it: it was made")
    assert "Run 08_sample_and_survey again" in row["note"]
    assert "images drawn" not in set(report.counts["what"])
    assert find(report.decisions, "decision", "Images per cluster")["ours"].startswith("not taken")
    for text in (report.markdown.read_text(), report.page.read_text()):
        head = text.split("Decisions")[0]
        assert "STALE, so nothing is taken from: sample.parquet, assignment.parquet" in head


def test_a_damaged_file_is_said_to_be_so_and_hides_no_other(folder):
    (folder / "sample.parquet").write_bytes(b"PAR1")
    report = vc.write_methods(folder)
    assert find(report.counts, "what", "(all of sample.parquet)")["note"].startswith("cannot be used")
    assert find(report.counts, "what", "clusters")["count"] == "4"


def test_what_a_computer_made_up_says_so_wherever_it_is_named(folder):
    save_contrasts(folder)
    report = vc.write_methods(folder)
    made_up = report.counts[report.counts["file"].str.contains("simulated_ratings|group_contrasts")]
    assert len(made_up) > 4
    assert made_up["note"].str.contains("SIMULATED").all()
    assert "SIMULATED ratings" in report.text
    assert "> **SIMULATED, made up by a computer" in report.markdown.read_text()
    assert not find(report.counts, "what", "images drawn")["note"]


def test_reliability_invariance_and_exclusions_are_quoted_with_their_numbers(folder):
    missing = vc.write_methods(folder)
    for name in ("reliability", "invariance", "exclusions", "cross_validation"):
        assert f"{name}.parquet: not done yet" in missing.text
    assert find(missing.decisions, "decision", "Measurement invariance")["ours"] == NOT_YET
    save_measures(folder)
    save_invariance(folder)
    report = vc.write_methods(folder)
    table = pd.read_parquet(folder / "reliability.parquet")
    row = table.iloc[0]
    assert f"Reliability of {row['dimension']} (" in report.text
    assert f"of {row['differences']}, alpha {row['alpha']:.3g} ({row['alpha_low']:.3g} to " in report.text
    assert "scalar fails (CFI 0.981, RMSEA 0.021, SRMR 0.018, CFI -0.017)" in report.text
    assert (
        "partial scalar holds (CFI 0.997, RMSEA 0.021, SRMR 0.018, CFI -0.001, freed hopeful)" in report.text
    )
    assert find(report.decisions, "decision", "Measurement invariance")["ours"] == (
        "partial scalar, freed: hopeful"
    )
    assert "Nobody of 8 SIMULATED respondents is straight lining, so that nothing changes" in report.text
    without = pd.read_parquet(folder / "exclusions.parquet").query("excluded == 'too_fast'")
    said = f"move by at most {without['shift'].abs().max():.2f} points"
    assert "Without respondents who are too fast (1 of 8 SIMULATED respondents) differences" in report.text
    assert said in report.text
    assert find(report.counts, "what", "respondents with a rating who are too fast")["count"] == "1"


def test_a_changed_sample_makes_what_was_measured_stale_and_nothing_is_quoted_from_it(folder):
    save_measures(folder)
    save_clusters(folder, k=6)
    report = vc.write_methods(folder)
    for name in ("reliability", "exclusions"):
        assert f"{name}.parquet: STALE, so nothing is taken from it" in report.text
    assert "alpha" not in report.text
    assert find(report.decisions, "decision", "Compared again without")["ours"].startswith("not taken")


def test_a_text_is_stale_once_a_table_that_it_quotes_has_changed(folder):
    def find_status(name):
        return vc.check_study(folder).set_index("name").loc[name, ["status", "next"]].tolist()

    vc.write_methods(folder)
    vc.write_preregistration(folder)
    assert find_status("methods.md") == ["fresh", ""]
    assert find_status("preregistration.md") == ["fresh", ""]
    save_invariance(folder)
    assert find_status("methods.md") == ["update available", "09_emotions_and_partisanship"]
    vc.write_methods(folder)
    save_invariance(folder, cfi_change=-0.02)
    assert find_status("methods.md") == ["stale", "09_emotions_and_partisanship"]
    assert find_status("preregistration.md")[0] == "fresh"
    save_clusters(folder, k=6)
    save_sample(folder)
    assert find_status("preregistration.md") == ["stale", "08_sample_and_survey"]
    assert "methods.md" not in vc.write_methods(folder).files["file"].tolist()


def test_no_posts_are_told_as_none(folder):
    posts = vc.make_empty_table("posts")
    vc.save_table(posts, folder / "posts.parquet", "posts")
    text = vc.write_methods(folder).text
    assert "There are no posts [posts.parquet]" in text
    assert "0 posts" not in text


def test_a_name_of_a_file_keeps_its_small_letter(tmp_path):
    save_images(tmp_path)
    text = vc.write_methods(tmp_path).text
    assert "labels.parquet: not done yet" in text
    assert "Labels.parquet" not in text


def test_agreement_is_measured_from_the_answers_and_stands_beside_the_papers(folder):
    save_pairs(folder)
    save_answers(folder, unlike=3)
    save_gold(folder)
    report = vc.write_methods(folder)
    measured = vc.agreement(vc.read_answers(folder / "answers")).measures.set_index("measure")
    row = find(report.agreement, "measure", "percent agreement")
    assert float(row["estimate"]) == pytest.approx(measured.loc["percent_agreement", "estimate"])
    assert (row["items"], row["annotators"], row["paper"]) == ("20", "2", "87")
    assert row["file"] == "answers/ (2 files)"
    assert find(report.counts, "what", "annotators of pairs")["count"] == "2"
    assert find(report.counts, "what", "pairs with a gold answer")["count"] == "17"
    assert find(report.counts, "what", "pairs without a gold answer")["count"] == "3"
    assert find(report.decisions, "decision", "Rule for gold")["ours"] == "unanimous"


def test_agreement_on_features_is_measured_too(folder):
    (folder / "feature_answers").mkdir()
    # They agree on seven of eight images, and on which three show flags.
    for name, shown in (("ana", {1, 3, 5, 7}), ("ben", {3, 5, 7})):
        present = ['["flags"]' if place in shown else "[]" for place in range(8)]
        rows = [
            {"event_id": f"{name}{place}", "item_id": f"i{place:02d}", "annotator": name, "seconds": 1.0,
             "answered_at": "2026-01-05T10:00:00.000Z", "answer": f'{{"asked":["flags"],"present":{said}}}'}
            for place, said in enumerate(present)
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "feature_answers" / f"{name}.jsonl").write_text(lines)
    report = vc.write_methods(folder)
    row = find(report.agreement, "what", "feature flags")
    expected = vc.aggregate_labels(vc.read_answers(folder / "feature_answers")).agreement["alpha"].item()
    assert 0 < expected < 1
    assert float(row["estimate"]) == pytest.approx(expected, abs=0.0005)  # three digits are shown
    assert (row["items"], row["annotators"], row["file"]) == ("8", "2", "feature_answers/ (2 files)")
    assert find(report.counts, "what", "annotators of features")["count"] == "2"


def test_more_answers_than_the_gold_rests_on_are_said(folder):
    save_pairs(folder)
    save_answers(folder)
    save_gold(folder)
    with (folder / "answers" / "ana.jsonl").open("a") as file:
        first = (folder / "answers" / "ana.jsonl").read_text().splitlines()[0]
        file.write(first.replace('"ana0"', '"later"') + "\n")
    report = vc.write_methods(folder)
    note = find(report.counts, "what", "pairs with a gold answer")["note"]
    assert "there are more answers than then in answers/" in note
    for text in (report.markdown, report.page, report.markdown.with_name("methods.md.json")):
        assert not re.search(r"\b(ana|ben)\b", text.read_text()), text.name  # nobody is named


def test_simulated_gold_without_answers_on_disk_has_no_agreement(folder):
    save_pairs(folder)
    save_gold(folder, simulated=True)
    report = vc.write_methods(folder)
    assert report.agreement.empty
    assert "SIMULATED" in find(report.counts, "what", "pairs with a gold answer")["note"]
    assert "people's answers to pairs: not done yet" in report.text.replace("People's", "people's")


def test_answers_of_a_second_look_are_counted_apart_and_leave_the_agreement_alone(folder):
    pairs = save_pairs(folder)
    save_answers(folder, unlike=3)
    save_gold(folder)
    before = vc.write_methods(folder).agreement
    answers = vc.read_answers(folder / "answers")
    reviews = vc.select_for_review(answers, pairs, seed=1)
    vc.save_table(reviews, folder / "reviews.parquet", "reviews")
    for name in ("ana", "ben"):
        row = {"event_id": f"{name} again", "item_id": reviews["pair_id"].iloc[0], "annotator": name,
               "answer": "same", "answered_at": "2026-01-06T10:00:00.000Z", "seconds": 2.0}  # fmt: skip
        with (folder / "answers" / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    merged = vc.merge_looks(vc.read_answers(folder / "answers"), pairs=pairs, reviews=reviews)
    vc.save_table(merged.gold, folder / "gold.parquet", "gold")
    report = vc.write_methods(folder)
    pd.testing.assert_frame_equal(report.agreement, before)
    later = find(report.counts, "what", "answers of later looks, not in the agreement")
    assert (later["count"], later["file"]) == ("2", "answers/ (2 files)")
    assert find(report.counts, "what", "answers that stand")["count"] == "40"
    assert find(report.counts, "what", "pairs shown again, decoys among them")["count"] == str(len(reviews))
    assert find(report.decisions, "decision", "A second look")["ours"] == "yes"


def test_gold_pairs_that_were_looked_at_again_are_counted(folder):
    save_pairs(folder)
    save_answers(folder)
    save_gold(folder)
    assert find(vc.write_methods(folder).decisions, "decision", "A second look")["ours"] == "no"
    gold = vc.read_table(folder / "gold.parquet", "gold")
    vc.save_table(gold.assign(looks=[2] * 5 + [1] * 15), folder / "gold.parquet", "gold")
    counts = vc.write_methods(folder).counts
    assert find(counts, "what", "gold pairs that were looked at again")["count"] == "5"


def test_clusters_that_are_not_the_winners_are_told_from_it(folder):
    save_pairs(folder)
    save_answers(folder)
    save_gold(folder)
    save_cross_validation(folder, *save_scores(folder))
    report = vc.write_methods(folder)
    assert find(report.decisions, "decision", "Measure")["like_paper"] == "differs"  # F1
    held = pd.read_parquet(folder / "cross_validation.parquet").iloc[0]
    assert f"by F1, a mean of {held['mean']:.3g} (standard deviation" in report.text
    assert f"has {held['honest_mean']:.3g} on the one left out" in report.text
    folds = find(report.decisions, "decision", "Cross-validation")
    assert (folds["ours"].startswith("2 folds, pairs that share"), folds["like_paper"]) == (True, "differs")
    assert find(report.counts, "what", "configurations")["file"] == "grid.parquet"
    assert re.search(r'by F1 the best configuration was "', report.text, re.IGNORECASE)
    assert "looks a little better than it is" in report.text
    assert find(report.decisions, "decision", "Weights of the pairs")["ours"].startswith("as drawn (raw)")
    assert find(report.counts, "what", "seeds of a configuration, at most")["count"] == "2"


def test_packages_weights_seeds_and_digests_are_listed(folder):
    report = vc.write_methods(folder)
    packages = report.software.set_index("package")["version"]
    assert packages["numpy"] == np.__version__
    assert packages["device"] == "cpu"
    sample = find(report.files, "file", "sample.parquet")
    assert sample["digest"] == vc.read_provenance(folder / "sample.parquet")["core"]
    assert (sample["made_by"], sample["seed"], sample["status"]) == ("draw_stratified_sample", "0", "fresh")
    assert report.weights["file"].tolist() == ["embeddings/pretrained.npy"]


def test_files_of_several_versions_are_said_to_be(folder):
    sample = vc.read_table(folder / "sample.parquet", "sample")
    record = vc.read_provenance(folder / "sample.parquet")
    record["versions"] = {**record["versions"], "numpy": "1.0"}
    vc.save_table(sample, folder / "sample.parquet", "sample", provenance=record)
    assert "Files were made with several versions of numpy." in vc.write_methods(folder).markdown.read_text()


def test_the_study_s_own_file_gives_items_scale_and_who_decides(folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("march")
    (study / "photos").mkdir()
    folder.rename(study / "results")
    (study / "study.toml").write_text(
        'name = "march"\nimages = "photos"\nscale = [1, 5]\nitems = {anger = ["angry", "bitter"]}\n'
    )
    opened = vc.open_study(study)
    for workspace in (study, study / "results", opened):
        report = vc.write_methods(workspace)
        row = find(report.decisions, "decision", "Items")
        assert (row["ours"], row["file"]) == ("2 in 1 dimensions: angry, bitter", "study.toml")
        assert find(report.decisions, "decision", "Scale")["ours"] == "1 to 5"
        assert report.markdown == study / "results" / "methods.md"


def test_ratings_of_people_are_read_from_where_the_study_names_them(folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("march")
    (study / "photos").mkdir()
    folder.rename(study / "results")
    ratings = vc.read_table(study / "results" / "simulated_ratings.parquet", "ratings").assign(
        simulated=False
    )
    lost = ratings["respondent"].eq("r0")
    vc.save_table(ratings[~lost], study / "ratings.parquet", "ratings")
    (study / "study.toml").write_text('images = "photos"\nratings = "ratings.parquet"\n')
    report = vc.write_methods(study)
    row = find(report.counts, "what", "ratings given")
    assert (row["count"], row["file"]) == ("210", "ratings.parquet")
    assert "SIMULATED" not in row["note"]
    gone = find(report.counts, "what", "assigned respondents without any rating here")
    assert (gone["count"], gone["file"]) == ("1", "assignment.parquet; ratings.parquet")


def test_a_study_that_simulates_nothing_waits_for_ratings_of_people(folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("march")
    (study / "photos").mkdir()
    folder.rename(study / "results")
    (study / "results" / "simulated_ratings.parquet").unlink()
    for simulate, waits_for in (("false", "ratings.parquet"), ("true", "simulated_ratings.parquet")):
        (study / "study.toml").write_text(f'images = "photos"\nsimulate = {simulate}\n')
        report = vc.write_methods(study)
        assert f"\n{waits_for}: not done yet" in report.text or f" {waits_for}: not done yet" in report.text
        rows = report.counts.loc[report.counts["step"].eq("Ratings"), "file"]
        assert waits_for in set(rows)


def test_images_of_one_colour_count_as_the_pictures_that_they_are(folder):
    images = vc.read_table(folder / "images.parquet", "images")
    listed = pd.DataFrame(
        {
            "image_id": images["image_id"], "path": images["path"], "group": range(len(images)),
            "representative": images["image_id"], "is_representative": True, "distance": 0.0, "size": 1,
            "radius": 0.0, "difference": np.nan, "status": ["flat", *["ok"] * (len(images) - 1)],
        }
    )  # fmt: skip
    vc.save_table(listed, folder / "duplicates.parquet", "duplicates")
    report = vc.write_methods(folder)
    assert find(report.counts, "what", "pictures, near copies counted once")["count"] == str(N)
    told = find(report.counts, "what", "images of one colour or unread, whose near copies cannot be told")
    assert told["count"] == "1"


def test_pairs_selected_for_a_second_look_are_not_looked_at_yet(folder):
    pairs = save_pairs(folder)
    save_answers(folder, unlike=3)
    answers = vc.read_answers(folder / "answers")
    reviews = vc.select_for_review(answers, pairs, seed=1)
    vc.save_table(reviews, folder / "reviews.parquet", "reviews")
    merged = vc.merge_looks(answers, pairs=pairs, reviews=reviews)
    vc.save_table(merged.gold, folder / "gold.parquet", "gold")
    said = find(vc.write_methods(folder).decisions, "decision", "A second look")["ours"]
    assert said == "pairs were selected for one, and its answers are in no gold table"


HOSTILE = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![p](https://evil.example/i.png) | a\n# b `c` $d$"
)


def test_texts_of_others_are_shown_and_never_obeyed(folder, tmp_path_factory):
    study = tmp_path_factory.mktemp("march")
    (study / "photos").mkdir()
    folder.rename(study / "results")
    one_line = HOSTILE.replace("\n", " ").replace('"', "'")
    (study / "study.toml").write_text(
        f'name = "{one_line}"\nimages = "photos"\nitems = {{anger = ["{one_line}"]}}\n'
    )
    report = vc.write_methods(study)
    page, markdown = report.page.read_text(), report.markdown.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert re.search(r"Content-Security-Policy[^>]*default-src 'none'", page)
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\[x(?<!\\)\]", markdown)
    assert "https://evil" not in markdown
    tables = [line for line in markdown.splitlines() if "script" in line and line.startswith("| Survey")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in tables] == [8]


def test_markdown_of_a_text_shows_just_its_signs():
    assert mark_plain("draw_stratified_sample of _a_") == r"draw_stratified_sample of \_a\_"
    assert mark_plain("a\u202eb\nc\x00\ud800") == "a b c"
    assert mark_plain("x" * 5000).endswith("…")


def test_a_page_has_the_same_rows_as_the_markdown():
    page = Page("Title")
    page.show(pd.DataFrame({"a": [1, 2], "b": ["x", "y|z"]}))
    assert page.to_markdown().splitlines()[2:] == ["| a | b |", "| --- | --- |", "| 1 | x |", r"| 2 | y\|z |"]
    assert page.to_html().count("<tr>") == 3


def test_both_files_carry_the_record_of_the_run(folder):
    report = vc.write_methods(folder)
    for path in (report.markdown, report.page):
        record = vc.read_provenance(path)
        assert record["function"] == "write_methods"
        assert set(record["sources"]) >= {"sample.parquet", "clusters.parquet", "embeddings/pretrained.npy"}
        assert record["inputs"]["sample.parquet"]


def test_the_place_of_the_files_is_ours_to_choose(folder, tmp_path):
    report = vc.write_methods(folder, save_to=tmp_path / "paper" / "appendix.md")
    assert report.page == tmp_path / "paper" / "appendix.html"
    assert report.page.exists()
    with pytest.raises(ValueError, match=r"save_to to end in \.md or \.html"):
        vc.write_methods(folder, save_to=tmp_path / "appendix.docx")


def test_a_folder_that_is_not_there_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected the folder of a study.*visclust start"):
        vc.write_methods(tmp_path / "nowhere")


def test_the_command_writes_them_and_says_where(folder, tmp_path_factory, capsys, monkeypatch):
    monkeypatch.delenv("VISCLUST_STUDY", raising=False)
    study = tmp_path_factory.mktemp("march")
    (study / "photos").mkdir()
    folder.rename(study / "results")
    (study / "study.toml").write_text('images = "photos"\n')
    assert main(["methods", str(study)]) == 0
    said = capsys.readouterr().out
    assert str(study / "results" / "methods.md") in said
    assert "SIMULATED" in said
    assert main(["methods", str(study / "photos" / "none")]) == 2
