"""Fine-tune an encoder to the researcher's own constructs, from images that people labelled."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from visclust.base.checks import check_whole_number
from visclust.base.machine import describe_torch_device
from visclust.base.provenance import digest_ids, digest_input, note_run, recorded
from visclust.embedding.encoders import Encoder, EncoderChoice, load_for_use
from visclust.finetuning.batches import (
    BatchSource,
    CachedBatches,
    ImageBatches,
    TrainingImages,
    cache_activations,
)
from visclust.finetuning.labels import (
    LabelledImages,
    drop_unlearnable,
    group_copies,
    match_groups,
    match_labels,
    split_labelled,
)
from visclust.finetuning.network import (
    LAYERS,
    TrainedNetwork,
    TrainingSettings,
    choose_precision,
    predict_logits,
    prepare_network,
)
from visclust.finetuning.results import (
    FineTuning,
    digest_settings,
    make_result,
    read_result,
    renew_sources,
    write_result,
)
from visclust.finetuning.training import (
    MOMENTUM,
    locate_checkpoint,
    read_checkpoint,
    train_network,
    write_checkpoint,
)

_SOURCE = ("weights", "weights_digest", "training")  # what an encoder has to say of itself
_LEAST = {
    "epochs": 1,
    "batch_size": 2,
    "views": 0,
    "seed": 0,
    "n_bootstrap": 1,
    "image_size": 8,
    "workers": 0,
}


@recorded
def finetune(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    save_to: str | os.PathLike,
    encoder: str | EncoderChoice | Encoder = "resnet18",
    features: Sequence[str] | None = None,
    layers: str = "all",
    epochs: int = 50,
    learning_rate: float = 0.005,
    batch_size: int = 32,
    weight_rare: bool = False,
    views: int = 0,
    held_out: float = 0.2,
    groups: pd.Series | pd.DataFrame | None = None,
    image_size: int | None = None,
    precision: str = "auto",
    seed: int = 0,
    device: str = "auto",
    workers: int | None = None,
    n_bootstrap: int = 2000,
    images_folder: str | os.PathLike | None = None,
    progress: bool = True,
) -> FineTuning:
    """Fine-tune an encoder so that it tells the features that people labelled in images.

    The encoder gets a new last layer with one output per feature. Each output is the probability of its
    feature on its own (a sigmoid and binary cross-entropy), so the probabilities of an image need not sum to
    one. After every epoch a checkpoint is on disk: run it again after a kill, and it goes on from there with
    the same result. A training that is finished already is read from its files.

    Parameters
    ----------
    images : DataFrame
        The images table; those with labels are used.
    labels : DataFrame
        A labels table, such as `aggregate_labels` gives: ``image_id`` and a column per feature with 1, 0 or
        missing. A missing label counts for nothing. A column ``simulated`` is no feature: where it is True,
        the record and the encoder's file say that the labels were made up.
    save_to : str or path
        The encoder's file, ending in ``.safetensors``. Its sidecar ``.json`` goes beside it, and the
        checkpoint while training is under way. What another training left there is replaced.
    encoder : str, EncoderChoice or Encoder, default "resnet18"
        Where to start, as in `embed_images`.
    features : sequence of str, optional
        Columns of `labels` to learn; by default all but ``image_id`` and ``simulated``. A feature that no
        image, or every image, or one picture only shows is left out: a line and the record say so and why.
    layers : {"all", "last_block", "head"}, default "all"
        What is trained. "all": every layer, on crops and flips drawn anew each epoch. "last_block": the last
        block of layers and the last layer; what comes before is frozen and computed once per image, without
        augmentation unless `views` are asked for. "head": the last layer alone, computed as frozen likewise;
        the network's features, and so its embedding, stay exactly as they were. The two suit small sets of
        labels and CPUs.
    epochs : int, default 50
        How often every image is trained on.
    learning_rate : float, default .005
        Of stochastic gradient descent with momentum .9, the same throughout; on the loss summed over features
        and averaged over the images of a batch.
    batch_size : int, default 32
        Images per step.
    weight_rare : bool, default False
        Let a feature's positive labels count by the number of negative per positive label in training, so
        that a rare feature is not passed over; probabilities then are too high for it.
    views : int, default 0
        With frozen layers: crops and flips per image that are computed once, besides the plain image; each
        epoch shows each image in one of them.
    held_out : float, default .2
        Share of the images that are not trained on, for the curve and the scores. They choose nothing: the
        weights kept are those of the last epoch.
    groups : Series or DataFrame, optional
        Groups of near copies, which stay on one side of the split: by image id, or the groups of
        `find_duplicates`. By default perceptual hashes of the images and of crops of them are compared,
        which errs towards joining too much: for a split that costs nothing.
    image_size : int, optional
        Side in pixels while training; by default the encoder's. Smaller is faster, but `embed_images` shows
        the network the encoder's own size, so features can get worse.
    precision : {"auto", "float32", "bfloat16"}, default "auto"
        "auto": half precision on a GPU, float32 on a CPU. "bfloat16" on a CPU pays off where it has
        instructions for it (AVX512_BF16, AMX).
    seed : int, default 0
        Of the split, the last layer's starting values, the order of images, and the augmentation.
    device : {"auto", "cpu", "gpu"}, default "auto"
        Where the network runs; a loaded encoder runs where it is.
    workers : int, optional
        Threads that decode images; by default one per core. The result does not depend on it.
    n_bootstrap : int, default 2000
        Resamples for the intervals of the scores.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.
    progress : bool, default True
        Show bars.

    Returns
    -------
    weights : pathlib.Path
        The encoder's file: give it to `embed_images` as `weights`, with the same encoder's name. It says what
        it was trained from and how.
    curve : DataFrame
        A row per finished epoch: ``epoch, train_loss`` (mean per label while it was trained on),
        ``held_out_loss, held_out_average_precision`` (mean over features), ``seconds_waiting`` (for images),
        and ``seconds_computing, seconds_held_out``.
    scores : DataFrame
        A row per feature and measure, on the held-out images: ``feature, measure`` (average_precision,
        roc_auc, f1 with a feature found from probability .5 on), ``estimate, low, high`` (95% bootstrap
        interval over groups of near copies), ``base_rate`` (share of positives), ``by_guessing`` (what a
        score is without looking: the base rate for average precision, .5 for ROC AUC, and for F1 that of
        calling every image positive), ``positives``, ``n`` (images with a label) and ``reason`` (why a number
        is missing, or its interval says little).
    split : DataFrame
        ``image_id, group`` (of near copies) and ``part`` ("train" or "held out").
    predictions : DataFrame
        ``image_id`` and the probability of each feature, for the held-out images. This table, the curve and
        the scores have a column ``simulated`` where the labels are.
    stop_reason : str
        "all … epochs were trained", or in which epoch and how training diverged; the weights are then those
        of the epoch before.
    provenance : dict
        How it was made.

    Raises
    ------
    ValueError
        Before any training: if a setting or a table is wrong, no feature is left that some images
        show and others do not, or the split leaves a feature none on a side.
    FileNotFoundError
        If image files are missing; says how many.
    WeightsUnreachableError
        If the encoder's weights are neither on this machine nor reachable.

    Source
    ------
    Casas, Webb Williams, Aslett and Wilkerson: ResNet-18 fine-tuned to labelled features at learning rates
    .01 and .005, by a multi-task model.

    Examples
    --------
    >>> images = pd.DataFrame(columns=["image_id", "path", "status", "reason", "width", "height"])
    >>> finetune(images, pd.DataFrame({"image_id": ["a"], "men": [1]}), save_to="mine.pth")
    Traceback (most recent call last):
    ValueError: Expected save_to to end in .safetensors, got mine.pth.
    """
    path = _check_place(save_to)
    settings = _check_settings(
        TrainingSettings(
            layers=layers,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            weight_rare=weight_rare,
            views=views,
            held_out=held_out,
            image_size=image_size,
            precision=precision,
            seed=seed,
            workers=workers,
            n_bootstrap=n_bootstrap,
        )
    )
    labelled = match_labels(images, labels, features=features, folder=images_folder)
    ids = [file.image_id for file in labelled.files]
    if groups is None:
        codes = group_copies(labelled.files, workers=workers, progress=progress)
    else:
        codes = match_groups(groups, ids)
    labelled, codes = drop_unlearnable(labelled, codes)
    ids, codes = [file.image_id for file in labelled.files], codes.astype(np.int64)
    held = split_labelled(labelled.targets, codes, features=labelled.features, held_out=held_out, seed=seed)
    loaded, reason = load_for_use(encoder, weights=None, device=device)
    _check_source(loaded)
    target = next(loaded.module.parameters()).device
    source = ImageBatches(
        TrainingImages(labelled.files, loaded, image_size=image_size, seed=seed), workers=workers
    )
    settings = settings._replace(
        image_size=source.images.size,
        precision=choose_precision(precision, target),
        positive_weights=_weigh_rare(labelled.targets[~held]) if weight_rare else None,
    )
    parameters = {
        **loaded.source,
        "encoder": loaded.name,
        "features": labelled.features,
        "simulated": labelled.simulated,
        "layers": layers,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "momentum": MOMENTUM,
        "loss": "sum over features",
        "batch_size": batch_size,
        "weight_rare": weight_rare,
        "views": views,
        "held_out": held_out,
        "image_size": settings.image_size,
        "precision": settings.precision,
        "copies": "by perceptual hashes" if groups is None else "as given",
        "n_bootstrap": n_bootstrap,
    }
    if labelled.left_out:
        parameters["features_left_out"] = dict(labelled.left_out)
    inputs = {
        "images": digest_ids(ids),
        "labels": digest_input(labelled.targets),
        "copies": digest_input(codes),
    }
    provenance = note_run(
        parameters={**parameters, "encoder_reason": reason, "images_without_label": labelled.unlabelled},
        inputs=inputs,
        device=describe_torch_device(target),
    )
    digest = digest_settings({**parameters, "seed": seed, **inputs})
    finished = read_result(path, digest=digest)
    if finished is not None:
        renew_sources(path, provenance)
        locate_checkpoint(path).unlink(missing_ok=True)  # left by a kill after all else was written
        return finished
    return _train(
        prepare_network(loaded, n_features=len(labelled.features), layers=layers, seed=seed),
        source,
        labelled,
        codes=codes,
        held=held,
        settings=settings,
        path=path,
        digest=digest,
        provenance=provenance,
        progress=progress,
    )


def _train(
    network: TrainedNetwork,
    source: ImageBatches,
    labelled: LabelledImages,
    *,
    codes: np.ndarray,
    held: np.ndarray,
    settings: TrainingSettings,
    path: Path,
    digest: str,
    provenance: dict[str, Any],
    progress: bool,
) -> FineTuning:
    """Train from the last checkpoint on, score, and write everything; the checkpoint goes last."""
    checkpoint = locate_checkpoint(path)
    batches: BatchSource = source
    if network.frozen is not None:
        given = cache_activations(
            network.frozen,
            source,
            views=settings.views,
            batch_size=settings.batch_size,
            progress=progress,
        )
        batches = CachedBatches(given, seed=settings.seed)
    run = train_network(
        network,
        batches,
        labelled.targets,
        held=held,
        settings=settings,
        start=read_checkpoint(checkpoint, digest=digest),
        save=lambda state: write_checkpoint(checkpoint, state, digest=digest),
        progress=progress,
    )
    if run.stop_reason.startswith("diverged"):
        print(f"Training {run.stop_reason}")
    result = make_result(
        path,
        run=run,
        logits=predict_logits(network, batches, np.flatnonzero(held), settings),
        labelled=labelled,
        codes=codes,
        held=held,
        settings=settings,
        provenance=provenance,
    )
    write_result(result, network, digest=digest)
    checkpoint.unlink(missing_ok=True)
    return result


def _weigh_rare(targets: np.ndarray) -> np.ndarray:
    """Give the number of negative per positive label of each feature."""
    return (targets == 0).sum(axis=0) / (targets == 1).sum(axis=0)


def _check_place(save_to: str | os.PathLike) -> Path:
    """Refuse a place that no encoder can be written to, before hours of training."""
    path = Path(save_to)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected save_to to end in .safetensors, got {path.name}.")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(
            f"Expected save_to as a file that can be written, but nothing can be written to {path}."
        )
    return path


def _check_settings(settings: TrainingSettings) -> TrainingSettings:
    """Check what can be checked before anything is read; the precision waits for the device."""
    if settings.layers not in LAYERS:
        raise ValueError(f"Expected one of {', '.join(LAYERS)} as layers, got {settings.layers!r}.")
    for name, least in _LEAST.items():
        value = getattr(settings, name)
        if value is not None or name not in ("image_size", "workers"):
            check_whole_number(name, value, least=least)
    if settings.views and settings.layers == "all":
        raise ValueError(
            'Expected views=0 with layers="all", which draws crops and flips anew in each epoch; views are '
            "for frozen layers."
        )
    if not _is_number(settings.learning_rate) or not 0 < settings.learning_rate < float("inf"):
        raise ValueError(f"Expected a learning_rate above 0, such as .005, got {settings.learning_rate!r}.")
    if not _is_number(settings.held_out) or not 0 < settings.held_out < 1:
        raise ValueError(f"Expected held_out between 0 and 1, such as .2, got {settings.held_out!r}.")
    return settings


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _check_source(encoder: Encoder) -> None:
    """Check that an encoder says what it is, since the file of its training has to."""
    lacking = [name for name in _SOURCE if name not in encoder.source]
    if lacking:
        raise ValueError(
            f"Expected an encoder whose source has {', '.join(_SOURCE)}, but that of {encoder.name!r} lacks "
            f"{', '.join(lacking)}: no record could say what was trained, and a training that was killed "
            "could go on from another network's. Use one from load_encoder, or fill them in."
        )
