"""Small JPEG copies of images for pages and widgets."""

import base64
import io
import os
from functools import lru_cache
from pathlib import Path

from visclust.image_reading import read_image

__all__ = ["encode_data_url", "encode_thumbnail"]

# About 30 kB each at 384 pixels: enough for an hour of labelling to go back and forth without decoding again.
_KEPT = 512


def encode_thumbnail(path: str | os.PathLike, *, max_side: int = 384, quality: int = 85) -> bytes:
    """Encode a small JPEG of an image, and keep it for the next time.

    Parameters
    ----------
    path : str or path
        The image file.
    max_side : int, default 384
        Longest side at most, in pixels; proportions are kept and small images are not enlarged.
    quality : int, default 85
        JPEG quality, 1 to 95.

    Returns
    -------
    bytes
        The JPEG, without the original's metadata.

    Raises
    ------
    visclust.image_reading.UnreadableImageError
        If the file cannot be read as an image; its text is the reason.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "wide.png"
    >>> Image.new("RGB", (800, 400)).save(path)
    >>> Image.open(io.BytesIO(encode_thumbnail(path, max_side=200))).size
    (200, 100)
    """
    path = Path(path)
    try:
        state = path.stat()
        version = (state.st_mtime_ns, state.st_size)
    except OSError:
        version = (0, 0)  # reading it says what is wrong
    return _encode(path, max_side, quality, version)


@lru_cache(maxsize=_KEPT)
def _encode(path: Path, max_side: int, quality: int, version: tuple[int, int]) -> bytes:  # noqa: ARG001
    """Encode one image; `version` makes a replaced file another entry of the cache."""
    buffer = io.BytesIO()
    read_image(path, max_side=max_side).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_data_url(path: str | os.PathLike, *, max_side: int = 384, quality: int = 85) -> str:
    """Encode a small JPEG of an image as a ``data:`` URL, for a page that holds its images itself.

    Parameters
    ----------
    path : str or path
        The image file.
    max_side : int, default 384
        Longest side at most, in pixels.
    quality : int, default 85
        JPEG quality, 1 to 95.

    Returns
    -------
    str
        ``data:image/jpeg;base64,…``

    Raises
    ------
    visclust.image_reading.UnreadableImageError
        If the file cannot be read as an image.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "dot.png"
    >>> Image.new("RGB", (1, 1)).save(path)
    >>> encode_data_url(path)[:23]
    'data:image/jpeg;base64,'
    """
    jpeg = encode_thumbnail(path, max_side=max_side, quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
