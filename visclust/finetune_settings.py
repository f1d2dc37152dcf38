"""Check the settings of a training before anything else is done."""

import os
from pathlib import Path

from visclust.argument_checks import check_whole_number
from visclust.finetune_network import LAYERS

__all__ = ["check_settings"]


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
) -> Path:
    """Check what can be checked before anything is read, and give the path of the encoder's file.

    Parameters
    ----------
    save_to, layers, epochs, learning_rate, batch_size, views, held_out, image_size, workers
        As in `finetune`.

    Returns
    -------
    pathlib.Path
        Where the encoder goes.

    Raises
    ------
    ValueError
        If a setting is not one that `finetune` knows; says which and what it should be.

    Examples
    --------
    >>> check_settings("a.safetensors", "head", 50, 0.005, 32, 0, 0.2, None, None).name
    'a.safetensors'
    """
    path = Path(save_to)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected save_to to end in .safetensors, got {path.name}.")
    if layers not in LAYERS:
        raise ValueError(f"Expected one of {', '.join(LAYERS)} as layers, got {layers!r}.")
    whole = {"epochs": (epochs, 1), "batch_size": (batch_size, 2), "views": (views, 0)}
    whole["image_size"] = (32 if image_size is None else image_size, 8)
    whole["workers"] = (1 if workers is None else workers, 0)
    for name, (value, least) in whole.items():
        check_whole_number(name, value, least=least)
    if views and layers == "all":
        raise ValueError(
            'Expected views=0 with layers="all", which draws crops and flips anew in each epoch; views are '
            "for frozen layers."
        )
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"Expected a learning_rate above 0, such as .005, got {learning_rate!r}.")
    if not 0 < held_out < 1:
        raise ValueError(f"Expected held_out between 0 and 1, such as .2, got {held_out!r}.")
    return path
