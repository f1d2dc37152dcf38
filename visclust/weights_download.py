"""Find published weights in torch's cache, or download and verify them: the only network call there is."""

import hashlib
import http.client
import re
import urllib.request
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from visclust.base.files import write_atomically
from visclust.base.provenance import digest_file

__all__ = ["WeightsUnreachableError", "fetch_weights", "locate_weights"]

_TIMEOUT = 10.0  # seconds without an answer or a byte, so that a blocked network is noticed soon
_BLOCK = 1 << 20
# The convention of torch.hub: the first digits of the file's SHA-256 stand at the end of its name.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")


class WeightsUnreachableError(RuntimeError):
    """Weights that are neither on this machine nor to be had over the network; its text says what to do."""


def locate_weights(file_name: str) -> Path:
    """Say where torch keeps a downloaded file of weights on this machine, whether or not it is there.

    Parameters
    ----------
    file_name : str
        Name of the file.

    Returns
    -------
    pathlib.Path
        Below the folder that torch.hub uses (moved by the environment variable TORCH_HOME).

    Examples
    --------
    >>> locate_weights("resnet18-f37072fd.pth").name
    'resnet18-f37072fd.pth'
    """
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / file_name


def fetch_weights(url: str, *, encoder: str, file_name: str | None = None) -> Path:
    """Find weights in torch's cache, or download them there, and check them against the hash in their name.

    Parameters
    ----------
    url : str
        Where they are published.
    encoder : str
        Name of the encoder, for the error.
    file_name : str, optional
        Name in the cache; by default the last part of `url`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    WeightsUnreachableError
        If the file is not in the cache and the download fails.
    ValueError
        If the file in the cache is damaged.

    Examples
    --------
    >>> fetch_weights("file:///nowhere/tiny.pth", encoder="tiny")
    Traceback (most recent call last):
    visclust.weights_download.WeightsUnreachableError: Expected the weights of 'tiny' at ...
    """
    path = locate_weights(file_name or url.rsplit("/", 1)[-1])
    wanted = _HASH_IN_NAME.search(path.name)
    if path.exists():
        if wanted and not digest_file(path).startswith(wanted.group(1)):
            raise ValueError(
                f"Expected {path} to have the hash that its name says, but it differs: the file is damaged. "
                "Delete it and try again."
            )
        return path
    try:
        write_atomically(path, lambda file: _download(url, file, wanted.group(1) if wanted else "", encoder))
    except (OSError, http.client.HTTPException) as error:
        raise WeightsUnreachableError(
            f"Expected the weights of {encoder!r} at {path} or from {url}, but the file is not there and the "
            f"download failed ({getattr(error, 'reason', None) or error}). Get the file on a machine with a "
            "network and put it at that path, or pass weights=<a file of weights>, or use "
            'encoder="efficientnet_lite0", whose weights are installed with this package.'
        ) from error
    return path


def _download(url: str, file: BinaryIO, wanted: str, encoder: str) -> None:
    state = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        received = 0
        with tqdm(
            total=total or None, desc=f"Weights of {encoder}", unit="B", unit_scale=True, unit_divisor=1024
        ) as bar:
            while block := answer.read(_BLOCK):
                file.write(block)
                state.update(block)
                received += len(block)
                bar.update(len(block))
    if total and received != total:
        raise OSError(f"{received} of {total} bytes came")
    if wanted and not state.hexdigest().startswith(wanted):
        raise OSError(f"what came has the hash {state.hexdigest()[:8]} instead of {wanted}")
