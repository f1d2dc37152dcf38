"""Files of weights: read without a pickle, fitted into a network, fetched, and written.

Every name is checked before a network gets weights; a download is the only network call of the package.
"""

import hashlib
import http.client
import json
import os
import re
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from tqdm.auto import tqdm

from visclust.base.damage import explain_damage
from visclust.base.files import write_atomically
from visclust.base.provenance import digest_file

if TYPE_CHECKING:
    import torch

_TIMEOUT = 10.0  # seconds without an answer or a byte, so that a blocked network is noticed soon
_BLOCK = 1 << 20
# The convention of torch.hub: the first digits of the file's SHA-256 stand at the end of its name.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")


class Weights(NamedTuple):
    """Tensors by name, the SHA-256 of the file they came from, and what the file says of its training."""

    tensors: dict[str, Any]
    digest: str
    training: dict[str, str]


class WeightsUnreachableError(RuntimeError):
    """Weights that are neither on this machine nor to be had over the network; its text says what to do."""


def read_weights(path: str | os.PathLike) -> Weights:
    """Read a file of weights; nothing in it is executed, and one with anything but tensors is refused.

    It is a ``.safetensors`` file, whose text metadata are taken as what it says of its training, or a state
    dict saved by `torch.save`: tensors by name, plain or under the key "state_dict" or "model".
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file of weights at {path}, but there is none. Check its name.")
    with explain_damage(path, "a file of weights"), path.open("rb"):
        pass  # what may not be read is told from what is damaged
    if path.suffix == ".safetensors":
        tensors, training = _read_safetensors(path)
    else:
        tensors, training = _read_torch_file(path), {}
    prefix = "module."  # what torch's DataParallel puts before each name
    if tensors and all(name.startswith(prefix) for name in tensors):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return Weights(tensors, digest_file(path), training)


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"Expected a safetensors file at {path}, but it cannot be read ({error}): it is empty, cut off "
            "or damaged. Get or make the file again."
        ) from error


def _read_torch_file(path: Path) -> dict[str, Any]:
    import torch

    advice = 'Save it again with torch.save(model.state_dict(), "my.pth") or as .safetensors.'
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
        LookupError,
        torch.serialization.pickle.UnpicklingError,
    ) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"Expected a state dict (tensors by name, nothing else) in {path}, but it cannot be read as one "
            f"({said[0]}). {advice}"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise ValueError(
            f"Expected a state dict (tensors by name, nothing else) in {path}, got {type(content).__name__} "
            f"with other things in it. {advice}"
        )
    return dict(content)


def fit_weights(module: "torch.nn.Module", tensors: Mapping[str, Any], *, head: str, origin: str) -> None:
    """Put weights into a network after checking every name and shape; the error lists what differs.

    `head` is what the names of the last layer begin with, such as "fc." (empty where there is none): it is
    left out and may have any size, since features are taken before it. `origin` says in the error where the
    weights come from.
    """
    skipped = (head,) if head else ()  # no name starts with an empty tuple
    wanted = {name: value for name, value in module.state_dict().items() if not name.startswith(skipped)}
    given = {name: value for name, value in tensors.items() if not name.startswith(skipped)}
    # Older files lack this counter; in evaluation it plays no part.
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in wanted]
    differing = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    problems = {"missing": missing, "unknown": unknown, "of another shape": differing}
    if any(problems.values()):
        listed = "; ".join(f"{word}: {_list_some(names)}" for word, names in problems.items() if names)
        raise ValueError(
            f"The weights in {origin} do not fit the encoder ({listed}). Give the encoder they were made for."
        )
    module.load_state_dict(given, strict=False)


def _list_some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def locate_weights(file_name: str) -> Path:
    """Say where torch keeps a downloaded file of weights (below TORCH_HOME), whether or not it is there."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / file_name


def fetch_weights(url: str, *, encoder: str, file_name: str | None = None) -> Path:
    """Find weights in torch's cache, or download them there; check them against the hash in their name.

    `file_name` is their name in the cache, by default the last part of `url`; `encoder` is named in errors.
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
        digits = wanted.group(1) if wanted else ""
        write_atomically(path, lambda file: _download(url, file, wanted=digits, encoder=encoder))
    except (OSError, http.client.HTTPException) as error:
        raise WeightsUnreachableError(
            f"Expected the weights of {encoder!r} at {path} or from {url}, but the file is not there and the "
            f"download failed ({getattr(error, 'reason', None) or error}). Get the file on a machine with a "
            "network and put it at that path, or pass weights=<a file of weights>, or use "
            'encoder="efficientnet_lite0", whose weights are installed with this package.'
        ) from error
    return path


def _download(url: str, file: BinaryIO, *, wanted: str, encoder: str) -> None:
    # torch.hub.download_url_to_file would wait without end behind a firewall, and keep half a file as whole
    # where no hash stands in its name, as in the files of Hugging Face.
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


def write_tensors(
    path: str | os.PathLike, tensors: "dict[str, torch.Tensor]", metadata: dict[str, str]
) -> Path:
    """Write tensors by name, and text for the file's header, as a safetensors file in one step."""
    return write_atomically(path, format_tensors(tensors, metadata))


def format_tensors(
    tensors: "dict[str, torch.Tensor]", metadata: dict[str, str]
) -> Callable[[BinaryIO], object]:
    """Give what writes tensors and the text of a header as safetensors; the same content, the same bytes."""
    from safetensors.torch import save

    content = save({name: each.detach().cpu().contiguous() for name, each in tensors.items()}, metadata)
    # The library writes metadata in random order, so that a digest of the file would differ each time.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(file: BinaryIO) -> None:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        file.write(memoryview(content)[8 + length :])

    return write
