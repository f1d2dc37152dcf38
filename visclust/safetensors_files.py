"""Write safetensors files: in one step, and the same bytes for the same content."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visclust.base.files import write_atomically

if TYPE_CHECKING:
    import torch

__all__ = ["write_tensors"]


def write_tensors(
    path: str | os.PathLike, tensors: "dict[str, torch.Tensor]", metadata: dict[str, str]
) -> Path:
    """Write a safetensors file in one step; the same content gives the same bytes.

    Parameters
    ----------
    path : str or path
        Where to.
    tensors : dict of str to torch.Tensor
        The tensors.
    metadata : dict of str to str
        Text that goes into the file's header.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "one.safetensors"
    >>> write_tensors(path, {"a": torch.zeros(2)}, {"encoder": "toy"}).name
    'one.safetensors'
    """
    from safetensors.torch import save

    content = save({name: each.detach().cpu().contiguous() for name, each in tensors.items()}, metadata)
    # The library writes metadata in random order, so that a digest of the file would differ each time.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(file: Any) -> None:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        file.write(memoryview(content)[8 + length :])

    return write_atomically(path, write)
