"""The files of a study's results, one after the other, each made from those before it and with its record."""

import json

import numpy as np
import pandas as pd

import visclust as vc
from visclust.embedding.embed import Embedding

N = 40


def save_images(folder, n=N):
    ids = [f"i{number:02d}" for number in range(n)]
    columns = {"status": "ok", "reason": "", "width": 4, "height": 4}
    images = pd.DataFrame({"image_id": ids, "path": [f"/images/{name}.png" for name in ids], **columns})
    vc.save_table(images, folder / "images.parquet", "images")
    return images


def save_embedding(folder, *, seed=0):
    images = vc.read_table(folder / "images.parquet", "images")
    x = np.random.default_rng(seed).normal(size=(len(images), 3)).astype("float32")
    x += np.arange(len(images), dtype="float32")[:, None] // 10 * 9
    record = vc.describe_run("embed_images", inputs={"images": images})
    record["origins"] = {"images": [images.attrs["provenance"]["core"]]}
    embedding = Embedding(x, images["image_id"].tolist(), record)
    vc.save_embedding(embedding, folder / "embeddings", name="pretrained")


def save_clusters(folder, *, k=4):
    images = vc.read_table(folder / "images.parquet", "images")
    x = vc.load_embedding(folder / "embeddings", name="pretrained", image_ids=images["image_id"]).x
    clusters = vc.assign_clusters(images, vc.cluster_once(x, n_clusters=k))
    vc.save_table(clusters, folder / "clusters.parquet", "clusters")


def save_sample(folder):
    clusters = vc.read_table(folder / "clusters.parquet", "clusters")
    sample = vc.draw_stratified_sample(clusters, max_per_cluster=2)
    vc.save_table(sample, folder / "sample.parquet", "sample")


def save_assignment(folder):
    sample = vc.read_table(folder / "sample.parquet", "sample")
    people = [f"r{number}" for number in range(8)]
    respondents = pd.DataFrame({"respondent": people, "group": ["one", "two"] * 4})
    assignment = vc.assign_respondents(sample, respondents, per_respondent=3)
    vc.save_table(assignment, folder / "assignment.parquet", "assignment")


def save_ratings(folder):
    assignment = vc.read_table(folder / "assignment.parquet", "assignment")
    ratings = vc.simulate_ratings(assignment).ratings
    vc.save_table(ratings, folder / "simulated_ratings.parquet", "ratings")


def save_pairs(folder, *, n_pairs=20):
    """Save pairs drawn from the clusters."""
    clusters = vc.read_table(folder / "clusters.parquet", "clusters")
    x = vc.load_embedding(folder / "embeddings", name="pretrained", image_ids=clusters["image_id"])
    pairs = vc.sample_pairs(clusters, x, n_pairs=n_pairs, seed=4)
    vc.save_table(pairs, folder / "pairs.parquet", "pairs")
    return pairs


def save_answers(folder, *, ana="same", ben="same", unlike=0):
    """Have two people answer all pairs alike, but for some, on which the second disagrees."""
    pairs = vc.read_table(folder / "pairs.parquet", "pairs")
    (folder / "answers").mkdir(exist_ok=True)
    for name, said in (("ana", ana), ("ben", ben)):
        answers = [said if place % 2 else "different" for place in range(len(pairs))]
        if name == "ben":
            answers = ["same" if each == "different" else "different" for each in answers[:unlike]] + answers[
                unlike:
            ]
        rows = [
            {"event_id": f"{name}{place}", "item_id": pair, "annotator": name, "answer": answer,
             "answered_at": "2026-01-05T10:00:00.000Z", "seconds": 2.0}
            for place, (pair, answer) in enumerate(zip(pairs["pair_id"], answers, strict=True))
        ]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        folder.joinpath("answers", f"{name}.jsonl").write_text(lines)


def save_gold(folder, *, simulated=False):
    """Save the gold answers of the pairs: people's, or a computer's."""
    pairs = vc.read_table(folder / "pairs.parquet", "pairs")
    if simulated:
        clusters = vc.read_table(folder / "clusters.parquet", "clusters")
        answers = vc.simulate_answers(
            pairs, clusters.set_index("image_id")["cluster"], error_rate=0.1, seed=0
        )
    else:
        answers = vc.read_answers(folder / "answers")
    vc.save_table(vc.resolve(answers, pairs=pairs).gold, folder / "gold.parquet", "gold")


def save_scores(folder):
    """Save a small grid and its scores on the gold pairs."""
    images = vc.read_table(folder / "images.parquet", "images")
    gold = vc.read_table(folder / "gold.parquet", "gold")
    x = vc.load_embedding(folder / "embeddings", name="pretrained", image_ids=images["image_id"])
    search = vc.grid_search(
        {"pretrained": x},
        baselines=(4,),
        step_sizes=(3,),
        similarity_thresholds=(0.0, 0.03),
        seeds=(0, 1),
        stop_size=2,
    )
    vc.save_table(search.table, folder / "grid.parquet")
    grid = {
        name: {seed: vc.assign_clusters(images, result) for seed, result in found.items()}
        for name, found in search.results.items()
    }
    scores = vc.compare_configurations(grid, gold, n_bootstrap=20)
    vc.save_table(scores, folder / "configuration_scores.parquet")
    return grid, gold


def save_cross_validation(folder, grid, gold):
    """Save what the winner scores on pairs that did not choose it."""
    found = vc.cross_validate(grid, gold, folds=2, n_bootstrap=20)
    vc.save_table(found.winner, folder / "cross_validation.parquet", "cross_validation")


def save_contrasts(folder):
    """Save the contrasts of the groups."""
    sample = vc.read_table(folder / "sample.parquet", "sample")
    ratings = vc.read_table(folder / "simulated_ratings.parquet", "ratings")
    found = vc.compare_groups(ratings, sample, n_bootstrap=20, progress=False)
    vc.save_table(
        found.differences,
        folder / "group_contrasts.parquet",
        "group_contrasts",
        made_from=[found.differences],
    )


def save_measures(folder):
    """Save reliability, invariance and exclusions."""
    sample = vc.read_table(folder / "sample.parquet", "sample")
    ratings = vc.read_table(folder / "simulated_ratings.parquet", "ratings")
    found = vc.measure_reliability(ratings, n_bootstrap=20, progress=False)
    vc.save_table(found, folder / "reliability.parquet", "reliability")
    people = vc.flag_respondents(ratings)
    people["too_fast"] = people["respondent"].eq("r0")
    options = {"n_bootstrap": 20, "weightings": "clusters", "progress": False}
    found = vc.compare_exclusions(ratings, people, sample, because=["straight_lining", "too_fast"], **options)
    vc.save_table(found, folder / "exclusions.parquet", "exclusions")


def save_invariance(folder, *, cfi_change=-0.017):
    """Save models of two groups, with made-up numbers: eight people are too few for real ones."""
    models = pd.DataFrame({
        "model": ["configural", "metric", "scalar", "partial scalar"], "freed": ["", "", "", "hopeful"],
        "cfi": [0.999, 0.998, 0.981, 0.997], "rmsea": 0.021, "srmr": 0.018,
        "against": ["", "configural", "metric", "metric"],
        "cfi_change": [np.nan, -0.001, cfi_change, -0.001], "holds": [True, True, False, True],
        "simulated": True,
    })  # fmt: skip
    ratings = vc.read_table(folder / "simulated_ratings.parquet", "ratings")
    record = vc.describe_run("confirm_factors", inputs={"ratings": ratings})
    record["origins"] = {"ratings": [ratings.attrs["provenance"]["result"]]}
    vc.save_table(models, folder / "invariance.parquet", "invariance", provenance=record)
