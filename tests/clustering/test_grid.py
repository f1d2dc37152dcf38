import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.clustering import grid

SMALL = {
    "rows": ("none",),
    "step_sizes": (2, 3),
    "similarity_thresholds": (0.0, 0.05, 0.1),
    "baselines": (4,),
    "stop_size": 5,
    "seeds": (0,),
}


@pytest.fixture
def embeddings(blobs):
    return {name: blobs([12] * 10, spread=0.9, seed=seed)[0] for seed, name in enumerate(["one", "two"])}


@pytest.mark.parametrize("memory_budget", [2**30, 20_000])
def test_labels_are_those_of_each_configuration_run_alone(embeddings, memory_budget):
    found = vc.grid_search(embeddings, **SMALL, memory_budget=memory_budget, progress=False)
    iterative = found.table[found.table["method"] == "iterative"]
    assert len(iterative) == 2 * 2 * 3
    for row in iterative.itertuples():
        alone = vc.cluster_iteratively(
            embeddings[row.embedding],
            step_size=int(row.step_size),
            similarity_threshold=row.similarity_threshold,
            stop_size=5,
            seed=row.seed,
            memory_budget=memory_budget,
        )
        assert np.array_equal(found.results[row.configuration][row.seed].labels, alone.labels)


def test_single_k_means_runs_with_the_selected_the_fixed_and_the_matched_k(embeddings):
    found = vc.grid_search(embeddings, **SMALL, progress=False)
    single = found.table[(found.table["method"] == "single") & (found.table["embedding"] == "one")]
    assert {"selected", "fixed", "matched"} >= set(single["baseline"]) >= {"fixed"}
    iterative = found.table[(found.table["method"] == "iterative") & (found.table["embedding"] == "one")]
    assert set(iterative["clusters"]) <= set(single["clusters"])
    selected = {int(found.results[name][0].log["k"].iloc[0]) for name in iterative["configuration"]}
    assert selected <= set(single["clusters"])
    row = single[single["clusters"] == 4].iloc[0]
    alone = vc.cluster_once(embeddings["one"], n_clusters=4, seed=0)
    assert np.array_equal(found.results[row["configuration"]][0].labels, alone.labels)


def test_the_table_describes_the_labels(embeddings):
    found = vc.grid_search(embeddings, **SMALL, progress=False)
    for row in found.table.itertuples():
        labels = found.results[row.configuration][row.seed].labels
        assert row.clusters == len(set(labels) - {-1})
        assert row.coverage == pytest.approx((labels >= 0).mean())


def test_why_a_baseline_was_run_does_not_depend_on_names(embeddings):
    named = {"ResNet (layer 4)": embeddings["one"]}
    table = vc.grid_search(named, **SMALL, progress=False).table
    assert (table["baseline"].eq("") == table["method"].eq("iterative")).all()
    assert table.set_index("configuration").loc["K = 4 (fixed), ResNet (layer 4)", "baseline"] == "fixed"


def without_seconds(table):
    return table.drop(columns="seconds")


def test_a_second_search_comes_from_the_cache_and_computes_nothing(embeddings, tmp_path, monkeypatch):
    first = vc.grid_search(embeddings, **SMALL, cache=tmp_path, progress=False)
    monkeypatch.setattr(grid, "open_workspace", lambda *_, **__: pytest.fail("computed again"))
    monkeypatch.setattr(grid, "cluster_once", lambda *_, **__: pytest.fail("computed again"))
    second = vc.grid_search(embeddings, **SMALL, cache=tmp_path, progress=False)
    pd.testing.assert_frame_equal(first.table, second.table)


def test_other_data_settings_or_seeds_do_not_come_from_the_cache(embeddings, tmp_path):
    vc.grid_search(embeddings, **SMALL, cache=tmp_path, progress=False)
    saved = len(list(tmp_path.iterdir()))
    vc.grid_search({"one": embeddings["one"] + 1}, **SMALL, cache=tmp_path, progress=False)
    more = len(list(tmp_path.iterdir()))
    vc.grid_search({"one": embeddings["one"]}, **{**SMALL, "seeds": (1,)}, cache=tmp_path, progress=False)
    assert saved < more < len(list(tmp_path.iterdir()))


SEARCH = """
import sys, numpy as np, visclust as vc
rng = np.random.default_rng(0)
x = (np.repeat(rng.normal(size=(30, 16)), 40, axis=0) + rng.normal(size=(1200, 16))).astype("float32")
found = vc.grid_search({"x": x}, rows=["none"], step_sizes=(2, 3), seeds=(0, 1), cache=sys.argv[1],
    progress=False)
found.table.to_csv(sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_search_goes_on_and_gives_the_same_table(tmp_path):
    command = [sys.executable, "-c", SEARCH]
    cache = tmp_path / "killed"
    running = subprocess.Popen([*command, cache, tmp_path / "never.csv"])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(cache.glob("*.npz"))) < 3:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    saved = {path.name: path.stat().st_mtime_ns for path in cache.glob("*.npz")}
    assert saved
    assert not (tmp_path / "never.csv").exists()
    subprocess.run([*command, cache, tmp_path / "resumed.csv"], check=True)
    subprocess.run([*command, tmp_path / "fresh", tmp_path / "whole.csv"], check=True)
    resumed, whole = (without_seconds(pd.read_csv(tmp_path / f"{name}.csv")) for name in ("resumed", "whole"))
    pd.testing.assert_frame_equal(resumed, whole)
    # What was finished before the kill was not computed again.
    assert {name: (cache / name).stat().st_mtime_ns for name in saved} == saved


def test_seeds_are_replicates_of_a_configuration_under_one_name(embeddings):
    asked = {**SMALL, "seeds": (0, 1, 2)}
    found = vc.grid_search({"one": embeddings["one"]}, **asked, progress=False)
    by_name = found.table.groupby("configuration", sort=False)
    assert by_name["seed"].apply(list).tolist() == [[0, 1, 2]] * by_name.ngroups
    settings = ["embedding", "rows", "method", "step_size", "similarity_threshold", "baseline"]
    assert by_name[settings].nunique(dropna=False).eq(1).all(axis=None)
    assert list(found.results) == found.table["configuration"].unique().tolist()
    assert all(list(each) == [0, 1, 2] for each in found.results.values())


def test_each_seed_gives_what_it_gives_alone(embeddings):
    asked = {**SMALL, "matched_baselines": False, "baselines": (4,)}
    together = vc.grid_search({"one": embeddings["one"]}, **{**asked, "seeds": (0, 3)}, progress=False)
    alone = vc.grid_search({"one": embeddings["one"]}, **{**asked, "seeds": (3,)}, progress=False)
    for name, results in alone.results.items():
        if "selected" not in name:  # whose K is the median of the seeds
            assert np.array_equal(together.results[name][3].labels, results[3].labels)


def test_seeds_of_a_single_k_means_have_one_k_the_median_of_what_the_iterative_ones_found(embeddings):
    asked = {**SMALL, "step_sizes": (2,), "similarity_thresholds": (0.05,), "seeds": (0, 1, 2)}
    table = vc.grid_search({"one": embeddings["one"]}, **asked, progress=False).table
    found = table.loc[table["method"].eq("iterative"), "clusters"]
    matched = table[table["baseline"].isin(["matched", "selected"])]
    assert int(found.sort_values().iloc[1]) in set(matched["clusters"])
    assert table[table["method"].eq("single")].groupby("configuration")["clusters"].nunique().eq(1).all()


def test_raw_rows_are_measured_once_for_all_seeds(embeddings, monkeypatch):
    opened = []
    count = grid.open_workspace
    monkeypatch.setattr(grid, "open_workspace", lambda *a, **o: opened.append(1) or count(*a, **o))
    vc.grid_search({"one": embeddings["one"]}, **{**SMALL, "seeds": (0, 1, 2)}, progress=False)
    assert len(opened) == 1


def test_a_search_with_one_more_seed_takes_the_others_from_the_cache(embeddings, tmp_path):
    asked = {**SMALL, "baselines": (4,), "matched_baselines": False, "step_sizes": (2,)}
    vc.grid_search({"one": embeddings["one"]}, **{**asked, "seeds": (0,)}, cache=tmp_path, progress=False)
    saved = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    vc.grid_search({"one": embeddings["one"]}, **{**asked, "seeds": (0, 1)}, cache=tmp_path, progress=False)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in saved} == saved
    assert len(list(tmp_path.iterdir())) > len(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step_sizes": ()}, "at least one value in each of embeddings"),
        ({"similarity_thresholds": (2,)}, "similarity_threshold"),
        ({"baselines": (0,)}, "baselines to be a list, each value a whole number of at least 1, got 0 in it"),
        ({"seeds": (-1,)}, "seed"),
        ({"rows": ()}, "rows as a sequence"),
        ({"rows": "unit"}, "rows to be a list"),
        ({"rows": ("raw",)}, "some of none, unit, pca, umap"),
        ({"similarity_thresholds": {"raw": (0.1,)}}, "got them for 'raw'"),
    ],
)
def test_a_wrong_grid_is_an_error_before_any_work(embeddings, changes, message):
    with pytest.raises(ValueError, match=message):
        vc.grid_search(embeddings, **{**SMALL, **changes}, progress=False)


def test_embeddings_of_different_images_are_an_error(embeddings):
    with pytest.raises(ValueError, match="different numbers of rows"):
        vc.grid_search({**embeddings, "three": np.eye(3)}, progress=False)


def test_rows_are_an_axis_with_thresholds_of_their_own(embeddings, tmp_path):
    asked = {**SMALL, "rows": ("none", "unit", "pca"), "similarity_thresholds": {"unit": (0.2,)}}
    found = vc.grid_search({"one": embeddings["one"]}, **asked, cache=tmp_path, progress=False).table
    iterative = found[found["method"] == "iterative"].astype({"similarity_threshold": float})
    tried = iterative.groupby("rows")["similarity_threshold"].unique().map(list).to_dict()
    papers = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05]
    assert tried == {"none": papers, "pca": papers, "unit": [0.2]}
    assert not found.duplicated(["configuration", "seed"]).any()
    raw = vc.grid_search(
        {"one": embeddings["one"]}, **{**asked, "rows": ("none",)}, cache=tmp_path, progress=False
    )
    kept = found.loc[found["rows"].eq("none"), "configuration"].tolist()
    assert raw.table["configuration"].tolist() == kept
    assert not any("rows" in name for name in kept)  # names and cache of the raw rows are what they were


@pytest.mark.parametrize("what", ["algorithm", "numpy", "device"])
def test_results_of_another_version_or_device_have_another_name(what, monkeypatch):
    name = ("digest", "single", {"n_clusters": 4}, 0)
    ours = grid._name_configuration(*name, device="cpu")
    assert ours == grid._name_configuration(*name, device="cpu")
    if what == "algorithm":
        monkeypatch.setattr(grid, "_ALGORITHM", 99)
    elif what == "numpy":
        monkeypatch.setattr(np, "__version__", "9.9")
    assert ours != grid._name_configuration(*name, device="gpu: any" if what == "device" else "cpu")


def test_too_few_images_for_umap_are_tried_at_unit_length_once(embeddings, capsys):
    few = {"one": embeddings["one"][:25]}
    found = vc.grid_search(few, **{**SMALL, "rows": ("umap", "unit")}, progress=False).table
    assert set(found["rows"]) == {"unit"}
    assert not found.duplicated(["configuration", "seed"]).any()


def test_umap_s_rows_come_from_the_cache(embeddings, tmp_path, monkeypatch):
    asked = {**SMALL, "rows": ("umap",), "similarity_thresholds": (0.1,), "step_sizes": (2,)}
    monkeypatch.setattr(
        "visclust.embedding.preparation.lay_out_rows",
        lambda x, **_: x[:, :5] + np.float32(1),
    )
    first = vc.grid_search({"one": embeddings["one"]}, **asked, cache=tmp_path, progress=False).table
    assert len(list(tmp_path.glob("rows_*.npy"))) == 1
    monkeypatch.setattr(
        "visclust.embedding.preparation.lay_out_rows", lambda *_, **__: pytest.fail("made again")
    )
    second = vc.grid_search({"one": embeddings["one"]}, **asked, cache=tmp_path, progress=False).table
    pd.testing.assert_frame_equal(first, second)
    assert set(first["rows"]) == {"umap"}


def test_an_embedding_that_was_prepared_already_stays_as_it_is(embeddings):
    prepared = vc.prepare_rows(embeddings["one"], how="unit", image_ids=[f"i{i}" for i in range(120)])
    found = vc.grid_search({"one": prepared}, **{**SMALL, "rows": ("none", "pca")}, progress=False)
    assert set(found.table["rows"]) == {"unit"}


def test_giants_in_a_grid_are_counted_in_one_warning(blobs):
    x = np.concatenate([np.zeros((90, 4)), 10 * np.eye(4)]).astype("float32")
    x += np.random.default_rng(0).normal(size=x.shape).astype("float32") * 0.01
    x[90:] *= np.arange(1, 5)[:, None]
    with pytest.warns(UserWarning, match=r"configurations have one giant cluster .* on rows 'none'"):
        found = vc.grid_search({"x": x}, **{**SMALL, "baselines": (5,)}, progress=False).table
    assert found["giant"].any()
    assert found.loc[found["giant"], "largest_share"].min() > 0.2


def test_the_figure_of_a_grid_draws_means_over_the_seeds_and_says_so(embeddings):
    asked = {**SMALL, "seeds": (0, 1, 2), "step_sizes": (2,), "similarity_thresholds": (0.1,)}
    table = vc.grid_search({"one": embeddings["one"]}, **asked, progress=False).table
    chart = vc.plot_grid(table).to_dict()
    assert chart["title"]["subtitle"] == ["Means over 3 seeds"]
    drawn = [row for rows in chart["datasets"].values() for row in rows if "clusters" in row]
    iterative = table[table["method"].eq("iterative")]
    assert drawn
    assert [row["clusters"] for row in drawn] == pytest.approx([iterative["clusters"].mean()] * len(drawn))
    assert "title" not in vc.plot_grid(table[table["seed"].eq(0)]).to_dict()


def test_a_search_decides_by_samples_where_it_is_asked_to(blobs):
    x, _ = blobs([60, 40, 30, 20], spread=0.6)
    options = {"stop_size": 5, "silhouette": "adaptive"}
    found = vc.grid_search(
        {"a": x},
        rows=["none"],
        step_sizes=[2],
        similarity_thresholds=[0.05],
        seeds=[0],
        baselines=[3],
        matched_baselines=False,
        progress=False,
        **options,
    )
    alone = vc.cluster_iteratively(x, step_size=2, similarity_threshold=0.05, seed=0, **options)
    iterative = found.table[found.table["method"].eq("iterative")].iloc[0]
    assert np.array_equal(found.results[iterative["configuration"]][0].labels, alone.labels)
    assert found.table["silhouette"].notna().all()
