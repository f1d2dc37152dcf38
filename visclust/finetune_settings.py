"""Check the settings of a training before anything else is done."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from visclust.base.checks import check_whole_number
from visclust.embedding.encoders import Encoder
from visclust.finetune_network import LAYERS

__all__ = ["check_settings", "check_source"]

_SOURCE = ("weights", "weights_digest", "training")


def check_settings(
    save_to: str | os.PathLike,
    layers: str,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    views: int,
    held_out: float,
    image_size: int | None,
    workers: int | None,
    seed: int,
) -> Path:
    """Check what can be checked before anything is read, and give the path of the encoder's file.

    Parameters
    ----------
    save_to, layers, epochs, learning_rate, batch_size, views, held_out, image_size, workers, seed
        As in `finetune`.

    Returns
    -------
    pathlib.Path
        Where the encoder goes.

    Raises
    ------
    ValueError
        If a setting is not one that `finetune` knows; says which and what it should be.
    OSError
        If nothing can be written where the file should go.

    Examples
    --------
    >>> check_settings("a.safetensors", "head", 50, 0.005, 32, 0, 0.2, None, None, 0).name
    'a.safetensors'
    """
    path = Path(save_to)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected save_to to end in .safetensors, got {path.name}.")
    if layers not in LAYERS:
        raise ValueError(f"Expected one of {', '.join(LAYERS)} as layers, got {layers!r}.")
    whole = {"epochs": (epochs, 1), "batch_size": (batch_size, 2), "views": (views, 0), "seed": (seed, 0)}
    whole["image_size"] = (32 if image_size is None else image_size, 8)
    whole["workers"] = (1 if workers is None else workers, 0)
    for name, (value, least) in whole.items():
        check_whole_number(name, value, least=least)
    if views and layers == "all":
        raise ValueError(
            'Expected views=0 with layers="all", which draws crops and flips anew in each epoch; views are '
            "for frozen layers."
        )
    if not _is_number(learning_rate) or not 0 < learning_rate < float("inf"):
        raise ValueError(f"Expected a learning_rate above 0, such as .005, got {learning_rate!r}.")
    if not _is_number(held_out) or not 0 < held_out < 1:
        raise ValueError(f"Expected held_out between 0 and 1, such as .2, got {held_out!r}.")
    _check_place(path)
    return path


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _check_place(path: Path) -> None:
    """Refuse a place that nothing can be written to, before hours of training."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not there.is_dir() or not os.access(there, os.W_OK):
        raise OSError(
            f"Expected save_to as a file that can be written, but nothing can be written to {path}."
        )


def check_source(encoder: Encoder) -> None:
    """Check that an encoder says what it is, since the file of its training has to.

    Parameters
    ----------
    encoder : Encoder
        Its ``source`` counts.

    Raises
    ------
    ValueError
        If that does not name and digest its weights.

    Examples
    --------
    >>> check_source(Encoder("mine", None, None, 4, 2, {}))
    Traceback (most recent call last):
    ValueError: Expected an encoder whose source has weights, weights_digest, training, but that of 'mine' ...
    """
    lacking = [name for name in _SOURCE if name not in encoder.source]
    if lacking:
        raise ValueError(
            f"Expected an encoder whose source has {', '.join(_SOURCE)}, but that of {encoder.name!r} lacks "
            f"{', '.join(lacking)}: no record could say what was trained, and a training that was killed "
            "could go on from another network's. Use one from load_encoder, or fill them in."
        )
