"""The notebook series: its form, and one headless run of all, since later ones read files of earlier ones."""

import inspect
import json
import re
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_studies import answer_features, answer_pairs, write_study

import visclust as vc
from visclust.base.provenance import digest_text
from visclust.notebook_run import run_notebooks, write_index

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Run the series once for all tests here; gives the folder with the results and the table of runs."""
    if not NOTEBOOKS:
        pytest.skip("there are no notebooks to run")  # test_there_are_notebooks fails
    to = tmp_path_factory.mktemp("series")
    return to, run_notebooks(FOLDER, to=to).set_index("notebook")


# Notebooks and their pictures; and chunks of an embedding, a cache that says with what settings it was made.
WITHOUT_RECORD = ("notebooks/", "pictures/", "index.html", "embedding_chunks/")
RECORDS = (".json",)  # beside the file that they tell of; survey.json tells of its folder


def read(path):
    return nbformat.read(path, as_version=4)


def list_code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_names_are_numbered_words_and_no_number_comes_twice():
    names = [path.stem for path in NOTEBOOKS]
    assert [name for name in names if not re.fullmatch(r"\d\d_[a-z0-9]+(_[a-z0-9]+)*", name)] == []
    assert len({name[:2] for name in names}) == len(names)


@each_notebook
def test_a_notebook_is_valid_and_stripped_of_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    assert [cell.outputs for cell in list_code_cells(path) if cell.outputs] == []
    assert {cell.execution_count for cell in list_code_cells(path)} <= {None}


@each_notebook
def test_a_notebook_opens_with_its_question_and_with_what_it_reads_and_writes(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \w", first.source)
    assert "?" in first.source
    assert "*Reads*" in first.source
    assert "*Writes*" in first.source


@each_notebook
def test_a_notebook_closes_with_text(path):
    assert read(path).cells[-1].cell_type == "markdown"


@each_notebook
def test_the_first_code_cell_holds_the_parameters(path):
    # Before it comes at most the cell that installs visclust on Colab.
    cells = [cell for cell in list_code_cells(path) if "google.colab" not in cell.source]
    assert "parameters" in cells[0].metadata.get("tags", [])


@each_notebook
def test_code_cells_have_at_most_ten_lines_and_define_nothing(path):
    for cell in list_code_cells(path):
        assert len(cell.source.splitlines()) <= 10, cell.source
        assert not re.search(r"^\s*(async\s+)?(def|class)\s", cell.source, re.MULTILINE), cell.source


@pytest.mark.slow
@each_notebook
def test_a_notebook_runs_headless(series, path):
    to, runs = series
    assert runs.status[path.stem] == "ok", runs.error[path.stem]
    nbformat.validate(read(to / "notebooks" / path.name))


@pytest.mark.slow
@each_notebook
def test_every_chart_of_a_run_is_saved_with_its_picture(series, path):
    to, _ = series
    for cell in list_code_cells(to / "notebooks" / path.name):
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        assert not any("vega" in kind for kind in kinds) or "image/png" in kinds, cell.source


@pytest.mark.slow
def test_the_page_of_a_run_shows_pictures_of_the_series(series):
    to, runs = series
    page = write_index([to / "notebooks" / f"{name}.ipynb" for name in runs.index], to=to).read_text()
    assert page.count("<h2>") == len(NOTEBOOKS)
    assert "<img" in page


def test_no_notebook_types_a_record():
    assert [path.stem for path in NOTEBOOKS if "describe_run" in path.read_text()] == []


@pytest.mark.slow
def test_every_file_of_the_series_carries_the_whole_record_of_its_run(series):
    to, _ = series
    faults = {}
    for path in sorted(path for path in to.rglob("*") if path.is_file()):
        name = path.relative_to(to).as_posix()
        if not name.startswith(WITHOUT_RECORD) and path.suffix not in RECORDS:
            faults[name] = list_faults(read_record(path, to))
    assert {name: found for name, found in faults.items() if found} == {}
    assert {
        "clusters.parquet",
        "clustering_log.parquet",
        "cluster_descriptions.csv",
        "clusters.html",
        "embeddings/pretrained.npy",
        "frames.parquet",
        "grid.parquet",
        "group_contrasts.parquet",
        "survey/respondents.csv",
    } <= faults.keys()
    assert any(name.endswith(".safetensors") for name in faults)


@pytest.mark.slow
def test_a_digest_in_one_record_is_found_in_the_record_of_the_file_that_was_read(series):
    to, _ = series
    made = {path.stem: vc.read_provenance(path) for path in to.glob("*.parquet")}
    # The sample is drawn from the pictures, which the copies were left out of.
    assert made["clusters"]["core"] in made["sample"]["origins"]["clusters"]
    assert made["sample"]["inputs_made_by"]["clusters"]["function"] == "leave_out_copies"
    pairs = {
        "group_contrasts": "sample",
        "simulated_ratings": "assignment",
        "configuration_scores": "gold",
    }
    for later, earlier in pairs.items():
        [record] = made[later].get("made_from", [made[later]])[:1]
        assert record["inputs"][earlier] == made[earlier]["result"], later
        assert record["inputs_made_by"][earlier]["function"] == made[earlier]["function"]


def read_record(path, to):
    if path.suffix == ".npz":
        with np.load(path) as saved:
            return json.loads(saved["record"].tobytes())["provenance"]
    if path.is_relative_to(to / "survey"):
        return json.loads((to / "survey" / "survey.json").read_text())
    if path.suffix == ".html" and not path.with_name(f"{path.name}.json").exists():
        data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', path.read_text(), re.DOTALL)
        return json.loads(data[1])["provenance"]
    return vc.read_provenance(path)


def list_faults(record):
    """List what a record lacks or says of no function of ours; of parts put together, what theirs lack."""
    if record.get("made_from"):
        return [fault for part in record["made_from"] for fault in list_faults(part)]
    function = getattr(vc, record.get("function") or "", None)
    if function is None:
        return [f"function {record.get('function')!r}"]
    told = {*record["parameters"], *(name.partition(".")[0] for name in record["inputs"])}
    options = inspect.signature(function).parameters
    several = {name for name, option in options.items() if option.kind is option.VAR_KEYWORD}
    digest = re.compile("[0-9a-f]{32}")
    lacking = {
        **{name: name in told for name in options.keys() - several - {"seed"}},
        # A function that hands options on may have been given one.
        "seed": ("seed" in options) == isinstance(record["seed"], int) or bool(several),
        "inputs": bool(record["inputs"]) and all(map(digest.fullmatch, record["inputs"].values())),
        "device": record["device"] == "cpu" or record["device"].startswith("gpu: "),
        "versions": {"python", "visclust", "numpy", "pandas", "torch"} <= record["versions"].keys(),
        "made_at": record["made_at"].startswith("20"),
        "changed_after": "changed_after" not in record,
    }
    return [name for name, holds in lacking.items() if not holds]


# Settings with which sixty images take seconds.
QUICK = {
    "03": {"epochs": 2, "learning_rates": (0.01,), "n_images": 60},
    "05": {"n_pairs": 150},
    "06": {"step_sizes": (5,), "similarity_thresholds": (0.0, 0.03)},
    "07": {"n_runs": 2},
    "08": {"respondents_per_group": 12},
    "09": {"n_bootstrap": 50, "n_surveys": 2},
}
NUMBERS = tuple(path.stem[:2] for path in NOTEBOOKS)


def run_study(study, *numbers):
    """Run notebooks on a study, and give what all their cells printed and showed as text."""
    quick = {number: values for number, values in QUICK.items() if number in numbers}
    runs = run_notebooks(FOLDER, to=study / "run", only=numbers, study=study, parameters=quick)
    assert runs.status.tolist() == ["ok"] * len(numbers), "\n".join(runs.error)
    paths = [study / "run" / "notebooks" / f"{name}.ipynb" for name in runs.notebook]
    outputs = [output for path in paths for cell in list_code_cells(path) for output in cell.outputs]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    html = [output.get("data", {}).get("text/html", "") for output in outputs]
    return " ".join(" ".join([*texts, *html]).split())


def list_all_pairs(images):
    """List every pair of images under the name that `sample_pairs` gives it: a digest of the two ids."""
    pairs = [sorted(pair) for pair in combinations(images["image_id"], 2)]
    named = [(digest_text("\n".join(pair)), *pair) for pair in pairs]
    return pd.DataFrame(named, columns=["pair_id", "image_a", "image_b"])


@pytest.mark.slow
def test_images_alone_are_enough(tmp_path):
    write_study(tmp_path)
    said = run_study(tmp_path, *NUMBERS)
    assert "This study has no posts: name their file in study.toml" in said
    assert "No pair is judged yet: label pairs in 05_label_pairs" in said
    assert "There are no ratings yet" in said
    assert "SIMULATED" not in said
    assert (tmp_path / "results" / "clusters.html").exists()


@pytest.mark.slow
def test_posts_add_to_it(tmp_path):
    write_study(tmp_path, posts=True)
    said = run_study(tmp_path, *NUMBERS)
    assert "180 images in posts; 0 media could not be linked." in said
    assert "This study names no accounts" in said
    assert "No cluster has a frame yet" in said
    assert "SIMULATED" not in said
    posts = vc.read_table(tmp_path / "results" / "posts.parquet", "posts")
    assert posts["author"].str.startswith("person").all()


@pytest.mark.slow
def test_labels_of_one_person_add_to_it(tmp_path):
    kinds = write_study(tmp_path, posts=True, labels=True)
    results = tmp_path / "results"
    images = vc.index_images(tmp_path / "photos")
    answer_features(results, images, kinds)
    answer_pairs(results, list_all_pairs(images), images, kinds)  # which of them are drawn, 05 says
    said = run_study(tmp_path, *NUMBERS)
    assert "Answers of ana, to 60 of 60." in said
    assert "1,620 pairs answered before are not among these" in said
    assert "Answers of ana, to 150 of 150." in said
    assert "Agreement needs two people, and one has answered" in said
    assert "These are one person's answers" in said
    assert "SIMULATED" not in said
    gold = vc.read_table(results / "gold.parquet", "gold")
    assert (len(gold), gold["simulated"].any()) == (150, False)
    assert (results / "configuration_scores.parquet").exists()


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 5])
def test_a_handful_of_images_is_a_study_too(tmp_path, n):
    write_study(tmp_path, n=n)
    said = run_study(tmp_path, *NUMBERS)
    assert "There are too few images" in said


@pytest.mark.slow
def test_near_copies_of_one_picture_are_a_study_too(tmp_path):
    write_study(tmp_path, n=1)
    with Image.open(tmp_path / "photos" / "000.png") as picture:
        for quality in range(36, 96):
            picture.convert("RGB").save(tmp_path / "photos" / f"copy_{quality}.jpg", quality=quality)
    said = run_study(tmp_path, *NUMBERS)
    assert "files have a copy" in said


@pytest.mark.slow
def test_the_example_says_in_every_notebook_what_is_simulated(series):
    to, _ = series
    for number in ("01", "03", "05", "06", "07", "08", "09"):
        (path,) = (to / "notebooks").glob(f"{number}*.ipynb")
        assert "SIMULATED" in path.read_text(), path.stem
