"""The result of a training: made, written beside the encoder's file, and read again where it is finished."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from visclust.base.damage import read_json
from visclust.base.files import write_text
from visclust.base.origins import list_sources
from visclust.base.pairs import settle_pair, write_pair
from visclust.base.provenance import digest_file, digest_text
from visclust.base.simulated import MARK
from visclust.embedding.weights import format_tensors
from visclust.finetuning.labels import LabelledImages
from visclust.finetuning.network import TrainedNetwork, TrainingSettings
from visclust.finetuning.scores import score_features
from visclust.finetuning.training import TrainingRun

_TABLES = ("curve", "scores", "split", "predictions")
_CURVE = [
    "epoch",
    "train_loss",
    "held_out_loss",
    "held_out_average_precision",
    "seconds_waiting",
    "seconds_computing",
    "seconds_held_out",
]
# Provenance that the encoder's file itself carries, so that each embedding made with it can say so.
_CARRIED = (
    "features",
    "simulated",
    "layers",
    "epochs",
    "learning_rate",
    "momentum",
    "loss",
    "batch_size",
    "weight_rare",
    "views",
    "held_out",
    "image_size",
    "precision",
    "copies",
)


class FineTuning(NamedTuple):
    """The file of the trained encoder, and how its training went; see `finetune`."""

    weights: Path
    curve: pd.DataFrame
    scores: pd.DataFrame
    split: pd.DataFrame
    predictions: pd.DataFrame
    stop_reason: str
    provenance: dict[str, Any]


def digest_settings(settings: dict[str, Any]) -> str:
    """Digest everything that a training's result depends on, as 32 hexadecimal digits."""
    return digest_text(json.dumps(settings, sort_keys=True, default=_to_plain), digits=32)


def make_result(
    path: Path,
    *,
    run: TrainingRun,
    logits: np.ndarray,
    labelled: LabelledImages,
    codes: np.ndarray,
    held: np.ndarray,
    settings: TrainingSettings,
    provenance: dict[str, Any],
) -> FineTuning:
    """Make the tables of a training of n images, of which `held` (n, True) are held out; nothing is written.

    `logits` (held out, features) are the network's for the images held out, `codes` (n) the groups of near
    copies.
    """
    ids = np.array([file.image_id for file in labelled.files], dtype=object)
    probabilities = 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))
    scores = score_features(
        probabilities,
        labelled.targets[held],
        features=labelled.features,
        groups=codes[held],
        n_bootstrap=settings.n_bootstrap,
        seed=settings.seed,
    )
    split = pd.DataFrame({"image_id": ids, "group": codes, "part": np.where(held, "held out", "train")})
    predictions = pd.DataFrame(probabilities, columns=labelled.features)
    predictions.insert(0, "image_id", ids[held])
    curve = pd.DataFrame(run.curve, columns=_CURVE)
    if labelled.simulated:  # the split is of images alone
        curve, scores, predictions = (table.assign(**{MARK: True}) for table in (curve, scores, predictions))
    return FineTuning(path, curve, scores, split, predictions, run.stop_reason, provenance)


def write_result(result: FineTuning, network: TrainedNetwork, *, digest: str) -> None:
    """Write the encoder's file, and then its sidecar with the tables and the digest of that file.

    `digest` is that of everything that the result depends on, from `digest_settings`.
    """
    tensors = dict(network.module.state_dict())
    if network.head_name:
        tensors |= {f"{network.head_name}{name}": each for name, each in network.head.state_dict().items()}
    parameters = result.provenance["parameters"]
    metadata = {
        "encoder": parameters["encoder"],
        "trained_by": "visclust.finetune",
        "trained_from": parameters["weights"],
        "trained_from_digest": parameters["weights_digest"],
        "trained_from_training": parameters["training"],
        **{name: parameters[name] for name in _CARRIED},
        "seed": result.provenance["seed"],
        "epochs_finished": len(result.curve),
        "stop_reason": result.stop_reason,
        "images": len(result.split),
        **{f"{name}_digest": each for name, each in result.provenance["inputs"].items()},
    }
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, default=_to_plain)
        for name, value in metadata.items()
    }
    content = {
        "settings": digest,
        "tables": {name: _to_lists(getattr(result, name)) for name in _TABLES},
        "stop_reason": result.stop_reason,
        "provenance": {
            **result.provenance,
            "sources": list_sources(result.weights, result.provenance.get("origins", {})),
        },
    }

    def describe(weights_digest: str) -> str:
        whole = {**content, "weights_digest": weights_digest}
        return json.dumps(whole, indent=1, allow_nan=False, default=_to_plain)

    sidecar = result.weights.with_suffix(".json")
    write_pair(result.weights, format_tensors(tensors, texts), sidecar, describe)


def renew_sources(weights: Path, provenance: dict[str, Any]) -> None:
    """Write into a finished encoder's sidecar which files it would be made from now.

    The training's own digests say that it would come out the same: the tables may have been saved anew all
    the same, with another column or row that training does not use.
    """
    path = settle_pair(weights, weights.with_suffix(".json"))
    content = read_json(path, "the sidecar of an encoder", "Train the encoder again.")
    known = {name: provenance.get(name) for name in ("origins", "direct")}
    known["sources"] = list_sources(weights, provenance.get("origins") or {})
    if any(content["provenance"].get(name) != value for name, value in known.items()):
        content["provenance"] |= known
        write_text(path, json.dumps(content, indent=1, allow_nan=False))


def _to_plain(value: Any) -> Any:
    """Give a number of NumPy as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Expected settings that JSON holds, got {type(value).__name__}.")


def _to_lists(table: pd.DataFrame) -> dict[Any, list[Any]]:
    """Give columns as lists that JSON holds exactly: numbers in full, None where missing."""
    return table.astype(object).where(table.notna(), None).to_dict("list")


def read_result(path: Path, *, digest: str) -> FineTuning | None:
    """Read the result of a training if encoder and sidecar are there, fit, and are of this very training.

    None where the training is yet to be done.
    """
    try:
        content = json.loads(settle_pair(path, path.with_suffix(".json")).read_text(encoding="utf-8"))
        if content["settings"] != digest or content["weights_digest"] != digest_file(path):
            return None
        tables = {name: pd.DataFrame(content["tables"][name]) for name in _TABLES}
        # The files that it was made from are for those who compare the files; they may have moved since.
        record = {name: value for name, value in content["provenance"].items() if name != "sources"}
        return FineTuning(path, **tables, stop_reason=content["stop_reason"], provenance=record)
    except (OSError, ValueError, KeyError, TypeError):
        return None
