"""Does fine-tuning help, and how long does it take?

Help: features are derived from every second known group of the example corpus, by size; the images of the
other groups are never shown to the training. All images are then clustered from each embedding, and pairs of
images are scored against the known groups: among the groups that were trained on, among those that were not,
and among the images of the former that were held out. Scores are means over seeds of the clustering.
Intervals come from 2,000 resamples of groups of near copies, the same for all embeddings, so that differences
from the pretrained are paired. They do not cover the training's own randomness: each network is trained once.

Speed: seconds for as many synthetic JPEGs as asked for, frozen variants in full, all layers for a few epochs.

Trained encoders stay in the folder given and are not trained again, so a run that was cut off goes on.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bench_embedding import make_jpegs
from side_by_side import describe_machine, print_table

from visclust.base.bootstrap import find_interval
from visclust.clustering.iterative import cluster_iteratively
from visclust.embedding.embed import embed_images
from visclust.example import load_example
from visclust.finetuning.fit import finetune
from visclust.finetuning.labels import group_copies
from visclust.images.batches import list_files
from visclust.images.index import index_images

ENCODER = "efficientnet_lite0"
SEEDS = range(5)


def derive_labels(ids: pd.Series, groups: pd.DataFrame, copies: np.ndarray) -> pd.DataFrame:
    """Make a feature of every second group by size, passing over groups of copies of one image."""
    known = ids.map(groups.set_index("image_id")["group"])
    several = pd.Series(copies, index=known.to_numpy()).groupby(level=0).nunique() > 1
    by_size = known.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    trained = [name for name in by_size if several[name]][::2]
    shown = known.isin(trained)
    labels = pd.DataFrame({name: (known[shown] == name).astype(float) for name in trained})
    labels.insert(0, "image_id", ids[shown])
    return labels.reset_index(drop=True)


def score_pairs_in(
    labels: np.ndarray, known: np.ndarray, inside: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Give precision, recall and F1 over the pairs of the images inside, for each row of weights."""
    labels = np.where(labels < 0, labels.max() + 1 + np.arange(len(labels)), labels)[inside]
    known, weights = known[inside], weights[:, inside]

    def count(codes: np.ndarray) -> np.ndarray:
        """Count the weighted pairs of different images that share a code."""
        indicator = np.eye(int(codes.max()) + 1)[codes]
        return (((weights @ indicator) ** 2).sum(axis=1) - (weights**2).sum(axis=1)) / 2

    cluster = np.unique(labels, return_inverse=True)[1]
    group = np.unique(known, return_inverse=True)[1]
    both = np.unique(cluster * (group.max() + 1) + group, return_inverse=True)[1]
    together, same, hits = count(cluster), count(group), count(both)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([hits / together, hits / same, 2 * hits / (together + same)])


def measure_help(options: argparse.Namespace) -> None:
    example = load_example()
    images = example.images
    files = list_files(images)
    ids = pd.Series([file.image_id for file in files])
    copies = group_copies(files)
    labels = derive_labels(ids, example.groups, copies)
    trained = list(labels.columns[1:])
    copy_groups = pd.Series(copies, index=ids)
    known = ids.map(example.groups.set_index("image_id")["group"]).to_numpy()
    print(f"\nGroups trained on ({len(trained)}, {len(labels)} images): {', '.join(trained)}.")
    others = sorted(set(known) - set(trained))
    print(f"\nGroups never shown ({len(others)}, {len(ids) - len(labels)} images): {', '.join(others)}.")

    plans: list[tuple[str, dict]] = [("head, .005", {"layers": "head", "learning_rate": 0.005})]
    for rate in options.rates:
        word = f"{rate:g}".lstrip("0")
        plans.append((f"last block, {word}", {"layers": "last_block", "learning_rate": rate}))
    views = {"layers": "last_block", "learning_rate": 0.005, "views": 4}
    plans.append(("last block, .005, 4 views", views))
    if options.epochs_all:
        plans += [
            (f"all layers, {rate:g}".replace("0.", "."), {"layers": "all", "learning_rate": rate})
            for rate in options.rates
        ]
    embeddings = {
        "pretrained": embed_images(images, encoder=ENCODER, progress=False, cache=options.folder / "chunks").x
    }
    runs, held = {}, None
    for name, plan in plans:
        frozen = plan["layers"] != "all"
        began, processor = time.perf_counter(), time.process_time()
        result = finetune(
            images,
            labels,
            save_to=options.folder / f"{name.replace(', ', '_').replace(' ', '_')}.safetensors",
            encoder=ENCODER,
            epochs=options.epochs if frozen else options.epochs_all,
            image_size=None if frozen else options.image_size,
            precision="auto" if frozen else options.precision,
            groups=copy_groups,
            progress=False,
            **plan,
        )
        embeddings[name] = embed_images(
            images,
            encoder=ENCODER,
            weights=result.weights,
            progress=False,
            cache=options.folder / "chunks",
        ).x
        at = result.scores.groupby("measure")["estimate"].mean()
        runs[name] = {
            "epochs": len(result.curve),
            "average precision": at["average_precision"],
            "ROC AUC": at["roc_auc"],
            "F1": at["f1"],
            "base rate": result.scores["base_rate"].mean(),
            "train loss": result.curve["train_loss"].iloc[-1],
            "held-out loss": result.curve["held_out_loss"].iloc[-1],
        }
        held = set(result.split.loc[result.split["part"] == "held out", "image_id"])
        print(
            f"{name}: {result.stop_reason}; {time.perf_counter() - began:.0f} s, "
            f"{time.process_time() - processor:.0f} s of processor time",
            flush=True,
        )
    print_table("Features on the held-out images, means over features", pd.DataFrame(runs).T.round(3))
    sets = {
        "trained groups": np.isin(known, trained),
        "untrained groups": ~np.isin(known, trained),
        "trained groups, held-out images": ids.isin(held).to_numpy(),
    }
    compare_embeddings(embeddings, known, copies, sets)


def compare_embeddings(
    embeddings: dict[str, np.ndarray], known: np.ndarray, copies: np.ndarray, sets: dict[str, np.ndarray]
) -> None:
    rng = np.random.default_rng(0)
    n_copies = copies.max() + 1
    drawn = rng.multinomial(n_copies, np.full(n_copies, 1 / n_copies), size=2000)
    weights = np.concatenate([np.ones((1, n_copies)), drawn])[:, copies]
    scores: dict[str, dict[str, np.ndarray]] = {name: {} for name in sets}
    found = {}
    for name, x in embeddings.items():
        results = [cluster_iteratively(x, seed=seed) for seed in SEEDS]
        found[name] = {
            "clusters, mean": np.mean([result.labels.max() + 1 for result in results]),
            "unassigned, mean share": np.mean([(result.labels < 0).mean() for result in results]),
        }
        for word, inside in sets.items():
            scores[word][name] = np.mean(
                [score_pairs_in(result.labels, known, inside, weights) for result in results], axis=0
            )
    print_table("Clusters", pd.DataFrame(found).T.round(2))
    for word, by_name in scores.items():
        rows = {}
        for name, values in by_name.items():
            low, high = find_interval(values[:, 1:].T)
            change = values[2] - by_name["pretrained"][2]
            change_low, change_high = find_interval(change[1:, None])
            rows[name] = {
                measure: f"{values[at, 0]:.3f} ({low[at]:.3f} to {high[at]:.3f})"
                for at, measure in enumerate(("precision", "recall", "F1"))
            }
            rows[name]["F1 minus pretrained"] = (
                f"{change[0]:+.3f} ({change_low[0]:+.3f} to {change_high[0]:+.3f})"
                if name != "pretrained"
                else ""
            )
        print_table(f"Pairs, {word} ({sets[word].sum()} images)", pd.DataFrame(rows).T)


def measure_speed(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_jpegs(folder, options.images, 1024, 768)
        images = index_images(folder, progress=False)
        rng = np.random.default_rng(0)
        labels = pd.DataFrame(rng.integers(0, 2, (len(images), 12)).astype(float))
        labels.columns = [f"feature {number}" for number in range(12)]
        labels.insert(0, "image_id", images["image_id"])
        plans = [("head", options.epochs, "float32"), ("last_block", options.epochs, "float32")]
        plans += [("all", options.epochs_timed, word) for word in ("float32", "bfloat16")]
        rows = {}
        for layers, epochs, precision in plans:
            began, processor = time.perf_counter(), time.process_time()
            curve = finetune(
                images,
                labels,
                save_to=folder / f"{layers}_{precision}.safetensors",
                encoder=ENCODER,
                layers=layers,
                epochs=epochs,
                precision=precision,
                progress=False,
            ).curve
            total, processor = time.perf_counter() - began, time.process_time() - processor
            trained = curve["seconds_computing"].sum() + curve["seconds_waiting"].sum()
            rows[f"{layers}, {precision}"] = {
                "epochs": epochs,
                "seconds in all": round(total, 1),
                "processor seconds": round(processor, 1),
                "seconds per epoch": round(float(trained) / epochs, 2),
                "with the held-out images": round(
                    float(trained + curve["seconds_held_out"].sum()) / epochs, 2
                ),
                "waiting for images": f"{curve['seconds_waiting'].sum() / trained:.1%}",
                "load before": round(os.getloadavg()[0], 1),
            }
            print(f"{layers}, {precision}: {rows[f'{layers}, {precision}']}", flush=True)
        print_table(f"Speed, {len(images)} JPEGs of 1,024 x 768, {ENCODER} at 224", pd.DataFrame(rows).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("results/bench_finetuning"))
    parser.add_argument("--epochs", type=int, default=50, help="of frozen variants")
    parser.add_argument("--epochs-all", type=int, default=12, help="with all layers; 0 leaves them out")
    parser.add_argument("--epochs-timed", type=int, default=2, help="of the speed of all layers")
    parser.add_argument("--image-size", type=int, default=None, help="with all layers")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.005])
    parser.add_argument("--precision", default="bfloat16", help="with all layers")
    parser.add_argument("--images", type=int, default=609, help="of the speed")
    parser.add_argument("--only", choices=["help", "speed"])
    options = parser.parse_args()
    print(f"{describe_machine()}, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}")
    if options.only != "speed":
        measure_help(options)
    if options.only != "help":
        measure_speed(options)


if __name__ == "__main__":
    main()
