"""What a study has at its stage: a sentence where something is missing, people before simulation."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_studies import answer_features, answer_pairs

import visclust as vc
from visclust.study import Study


@pytest.fixture
def make_study(tmp_path):
    """Make a study of anybody's in an empty folder."""

    def make(**entries):
        return Study(folder=tmp_path, results=tmp_path, name="mine", images=tmp_path, **entries)

    return make


@pytest.fixture
def kinds():
    return {"0.png": "discs", "1.png": "discs", "2.png": "squares", "3.png": "squares"}


@pytest.fixture
def images(kinds):
    return pd.DataFrame({"image_id": list("abcd"), "path": list(kinds)})


@pytest.fixture
def pairs():
    return pd.DataFrame({"pair_id": ["p", "q"], "image_a": ["a", "a"], "image_b": ["b", "c"]})


@pytest.fixture
def clusters():
    return pd.DataFrame(
        {"image_id": list("abcd"), "cluster": [0, 0, 1, -1], "iteration": 1, "silhouette": 0.1}
    )


def test_a_cell_runs_where_all_it_needs_is_there(capsys):
    assert vc.check_needs("the days", posts=pd.DataFrame({"post_id": ["p"]}), several_images=3, runs=True)
    assert capsys.readouterr().out == ""


def test_otherwise_one_sentence_says_what_is_missing_what_to_do_and_what_it_will_show(capsys):
    assert not vc.check_needs("the days", posts=[], links=[])
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("This study has no posts: name their file in study.toml (posts = …)")
    assert said.endswith("to see here the days.")
    assert said.count(".") == 2  # the one in study.toml, and that at the end


@pytest.mark.parametrize("nothing", [None, False, 0, [], (), {}, np.empty(0), pd.DataFrame({"a": []})])
def test_nothing_of_any_kind_is_missing(nothing):
    assert vc.check_needs("the days", posts=nothing) is False


def test_a_need_without_a_sentence_is_refused():
    with pytest.raises(TypeError, match="'tweets'"):
        vc.check_needs("the days", tweets=[])


def test_results_that_are_not_made_yet_are_empty_tables_that_pass_as_their_kind(make_study):
    for kind in ("posts", "posts_images", "gold", "frames", "sample", "assignment", "ratings", "answers"):
        table = vc.read_results(make_study(), kind)
        assert len(table) == 0
        assert vc.check_table(table, kind) is table


def test_results_that_are_made_are_read(make_study, tmp_path):
    links = pd.DataFrame({"post_id": ["p"], "image_id": ["a"]})
    vc.save_table(links, tmp_path / "posts_images.parquet", "posts_images")
    assert vc.read_results(make_study(), "posts_images")["post_id"].tolist() == ["p"]


def test_empty_posts_are_saved_and_read_again(make_study, tmp_path):
    vc.save_table(vc.read_results(make_study(), "posts"), tmp_path / "posts.parquet", "posts")
    assert vc.read_results(make_study(), "posts").empty


def test_one_person_s_answers_are_enough(make_study, pairs, images, kinds, clusters, capsys):
    study = make_study()
    answer_pairs(study.results, pairs, images, kinds)
    answers = vc.gather_answers(study, pairs, clusters)
    assert not answers["simulated"].any()
    assert "Answers of ana, to 2 of 2." in capsys.readouterr().out
    assert vc.resolve(answers, pairs=pairs).gold["same"].tolist() == [True, False]


def test_answers_to_pairs_of_an_earlier_draw_are_left_out_with_a_line(
    make_study, pairs, images, kinds, clusters, capsys
):
    study = make_study()
    answer_pairs(study.results, pairs, images, kinds)
    now = pairs.tail(1)
    answers = vc.gather_answers(study, now, clusters)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("1 pairs answered before are not among these, which were drawn anew")
    assert said.endswith("Answers of ana, to 1 of 1.")
    assert vc.resolve(answers, pairs=now).gold["pair_id"].tolist() == ["q"]


@pytest.fixture
def drawn():
    """Five pairs of which one is called the same; each speaks for a thousand."""
    sides = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")]
    table = pd.DataFrame(sides, columns=["image_a", "image_b"])
    return table.assign(pair_id=list("pqrst"), stratum="random", inclusion_probability=0.001)


def test_a_second_look_follows_once_the_first_is_done_and_a_third_once_the_second_is(
    make_study, drawn, images, kinds, clusters, capsys
):
    study = make_study()
    answer_pairs(study.results, drawn.head(3), images, kinds)
    first = vc.gather_answers(study, drawn, clusters)
    assert vc.gather_looks(study, drawn, first, clusters).reviews.empty
    # Each stands for the annotator's answers so far.
    answer_pairs(study.results, drawn, images, kinds)
    first = vc.gather_answers(study, drawn, clusters)
    looks = vc.gather_looks(study, drawn, first, clusters)
    asked = looks.reviews[~looks.reviews["decoy"]]
    assert asked["judged_pair"].tolist() == ["p"]
    assert looks.waiting.equals(looks.reviews)
    vc.save_table(looks.reviews, study.results / "reviews.parquet", "reviews")
    waits = vc.gather_looks(study, drawn, first, clusters)
    assert waits.reviews["pair_id"].tolist() == waits.waiting["pair_id"].tolist()
    both = pd.concat([drawn, looks.reviews])
    answer_pairs(study.results, both, images, {name: name for name in kinds})  # of another mind now
    capsys.readouterr()
    assert len(vc.gather_answers(study, drawn, clusters)) == len(drawn)
    assert "answered before" not in capsys.readouterr().out  # looks are no pairs of another draw
    done = vc.gather_looks(study, drawn, first, clusters)
    assert done.waiting.empty
    merged = vc.merge_looks(done.answers, pairs=drawn, reviews=done.reviews)
    assert not merged.gold["same"].any()


def test_the_looks_of_simulated_annotators_are_simulated_and_marked(make_study, drawn, images, clusters):
    study = make_study(simulate=True)
    first = vc.gather_answers(study, drawn, clusters, error_rate=0.0, seed=2)
    looks = vc.gather_looks(study, drawn, first, clusters, error_rate=0.0, seed=2)
    assert len(looks.reviews)
    assert set(looks.reviews["look"]) <= {2, 3, 4}
    assert looks.answers["simulated"].all()
    assert looks.waiting.empty
    assert vc.merge_looks(looks.answers, pairs=drawn, reviews=looks.reviews).gold["simulated"].all()


def test_nothing_is_made_up_where_the_study_does_not_simulate(make_study, pairs, images, clusters):
    study = make_study(features=("round",), frames=("calm",), groups={"men": "", "women": ""})
    posts = pd.DataFrame({"author": ["ann"]})
    users = pd.DataFrame({"author": ["ann"], "frame": "calm", "share": [0.5]})
    frames = pd.DataFrame({"cluster": pd.Series(dtype="int64"), "frame": pd.Series(dtype="str")})
    assignment = pd.DataFrame(
        {"respondent": ["r"], "group": "men", "position": 1, "image_id": "a", "cluster": 0}
    )
    gathered = [
        vc.gather_answers(study, pairs, clusters),
        vc.gather_feature_answers(study, images),
        vc.gather_accounts(study, posts),
        vc.gather_frames(study, clusters, frames),
        vc.gather_frame_answers(study, images, clusters, frames.assign(cluster=[], frame=[])),
        vc.gather_ideology(study, users),
        vc.gather_respondents(study),
        vc.gather_ratings(study, assignment),
    ]
    assert [len(table) for table in gathered] == [0] * 8


def test_what_a_study_simulates_is_marked_in_every_row_and_said(make_study, pairs, images, clusters, capsys):
    study = make_study(simulate=True, features=("round",), frames=("calm",), groups={"men": "", "women": ""})
    posts = pd.DataFrame({"author": ["ann", "ben"]})
    users = pd.DataFrame({"author": ["ann", "ben"], "frame": "calm", "share": [0.5, 0.1]})
    frames = pd.DataFrame({"cluster": pd.Series(dtype="int64"), "frame": pd.Series(dtype="str")})
    people = vc.gather_respondents(study, per_group=2)
    assignment = people.assign(position=1, image_id="a", cluster=0)
    gathered = [
        people,
        vc.gather_answers(study, pairs, clusters),
        vc.gather_feature_answers(study, images),
        vc.gather_accounts(study, posts),
        vc.gather_frames(study, clusters, frames),
        vc.gather_frame_answers(study, images, clusters, pd.DataFrame({"cluster": [0], "frame": "calm"})),
        vc.gather_ideology(study, users),
        vc.gather_ratings(study, assignment),
    ]
    assert all(len(table) and table["simulated"].all() for table in gathered)
    assert capsys.readouterr().out.count("SIMULATED") == 8


def test_the_frames_that_people_see_in_images_of_sampled_posts_are_read_and_else_those_of_clusters_simulated(
    make_study, images, clusters, kinds
):
    frames = pd.DataFrame({"cluster": [0, 1], "frame": ["round", "straight"]})
    made = vc.gather_frame_answers(
        make_study(simulate=True), images, clusters, frames, error_rate=0.0, seed=1
    )
    labels = vc.aggregate_labels(made, n_bootstrap=9).labels.set_index("image_id")
    # One image in ten shows a frame by lot; by this seed none of these four does.
    assert labels["round"].tolist() == [1, 1, 0, 0]
    assert labels["straight"].tolist() == [0, 0, 1, 0]
    study = make_study(simulate=True)
    answer_features(study.results, images, kinds)
    (study.results / "feature_answers").rename(study.results / "frame_answers")
    people = vc.gather_frame_answers(study, images, clusters, frames)
    assert len(people)
    assert not people["simulated"].any()


def test_a_few_answers_to_try_the_labeller_do_not_end_the_example_s_simulation(
    make_study, images, kinds, clusters, capsys
):
    study = make_study(simulate=True)
    many = pd.DataFrame({"pair_id": list("pqr"), "image_a": list("aab"), "image_b": list("bcc")})
    answer_pairs(study.results, many.head(1), images, kinds)
    assert vc.gather_answers(study, many, clusters)["simulated"].all()
    assert "1 of 3 are answered by people" in capsys.readouterr().out
    answer_pairs(study.results, many.head(2), images, kinds)
    assert not vc.gather_answers(study, many, clusters)["simulated"].any()


def test_people_s_own_files_are_read(make_study, tmp_path, images, kinds):
    (tmp_path / "accounts.csv").write_text("account,kind\naclu,organization\n")
    (tmp_path / "ideology.csv").write_text("author,ideology\n0123,0.5\n")
    (tmp_path / "people.csv").write_text("respondent,gender\nr1,woman\nr2,man\n")
    study = make_study(
        accounts=tmp_path / "accounts.csv", ideology=tmp_path / "ideology.csv", group_column="gender",
        simulate=True,
    )  # fmt: skip
    assert vc.gather_accounts(study, pd.DataFrame()).to_dict("list") == {
        "account": ["aclu"],
        "kind": ["organization"],
    }
    assert vc.gather_ideology(study, pd.DataFrame())["author"].tolist() == ["0123"]
    respondents = vc.gather_respondents(study, tmp_path / "people.csv")
    assert respondents.to_dict("list") == {"respondent": ["r1", "r2"], "group": ["woman", "man"]}
    answer_features(study.results, images, kinds)
    assert not vc.gather_feature_answers(make_study(features=("round", "straight")), images)[
        "simulated"
    ].any()


def test_the_pair_design_is_used_where_the_judged_pairs_are_of_it_and_else_a_line_says_why_not(
    make_study, clusters, tmp_path, capsys
):
    study = make_study()
    gold = pd.DataFrame({"pair_id": ["p"], "image_a": ["a"], "image_b": ["b"], "same": [True]})
    assert vc.gather_pair_design(study, gold) is None
    assert "there is no pair design" in capsys.readouterr().out
    design = vc.design_pairs(clusters, np.random.default_rng(0).normal(size=(4, 3)))
    vc.save_table(design, tmp_path / "pair_design.parquet", "pair_design")
    assert vc.gather_pair_design(study, gold.assign(stratum="within")) is None
    assert "drawn with another design" in capsys.readouterr().out
    drawn = gold.assign(stratum=vc.sample_pairs(design, n_pairs=1)["stratum"])
    both = pd.concat([gold.assign(stratum="within", wave=1), drawn.assign(pair_id="q", wave=2)])
    for judged in (drawn, both, gold.head(0)):
        assert len(vc.gather_pair_design(study, judged)) == 4
    assert capsys.readouterr().out == ""


def test_ticked_frames_stay_as_they_are(make_study, clusters):
    ticked = pd.DataFrame({"cluster": [0], "frame": ["calm"]})
    assert vc.gather_frames(make_study(simulate=True), clusters, ticked).equals(ticked)


def test_a_refused_analysis_says_why_and_gives_nothing(capsys):
    sample = pd.DataFrame(
        {"image_id": ["a"], "cluster": [0], "inclusion_probability": [0.5], "weight": [2.0]}
    )
    people = pd.DataFrame({"respondent": ["r"], "group": ["all"]})
    assert vc.try_analysis("The assignment", vc.assign_respondents, sample, people, per_respondent=3) is None
    assert capsys.readouterr().out.startswith("The assignment: No such assignment exists")
    assert (
        len(vc.try_analysis("The assignment", vc.assign_respondents, sample, people, per_respondent=1)) == 1
    )


def test_the_model_of_simulated_ratings_has_the_study_s_items_scale_and_groups(make_study):
    study = make_study(items={"trust": ("honest", "fair")}, scale=(1, 5), groups={"men": "", "women": ""})
    assignment = pd.DataFrame({"group": ["women", "men", "other"]})
    model = vc.choose_rating_model(study, assignment)
    assert (list(model.effects), model.scale) == (["men", "women", "other"], (1, 5))
    assert set(model.means) == {"honest", "fair"}


def test_a_table_that_is_not_made_yet_has_a_record_so_that_it_is_known_where_it_came_from(tmp_path):
    empty = vc.make_empty_table("posts")
    vc.save_table(empty, tmp_path / "posts.parquet", "posts")
    state = vc.check_study(tmp_path).set_index("name").loc["posts.parquet"]
    assert state[["status", "made_by"]].tolist() == ["fresh", "make_empty_table"]


def test_no_notebook_reads_a_table_only_to_empty_it_since_a_stale_one_is_refused():
    folder = Path(__file__).parents[2] / "notebooks"
    pattern = re.compile(r"read_results\([^()]*\)\.iloc\[:0\]")
    assert [path.name for path in folder.glob("*.ipynb") if pattern.search(path.read_text("utf-8"))] == []
