"""Read image files of every kind as RGB, and say plainly why a file cannot be read."""

import os
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

IMAGE_ENDINGS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
    }
)

# Where Pillow starts to warn of a decompression bomb: a quarter of a gigabyte once decoded to RGB. Cameras
# whose pictures are passed around stay well below; a file of a few kilobytes that claims more is an attack.
_PIXEL_LIMIT = 89_478_485

# EPS and the like are left out on purpose: Pillow would start another program to draw them.
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM")

_FIRST_BYTES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
}

# What Pillow's decoders are known to raise on damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION = 0x0112


class UnreadableImageError(ValueError):
    """A file that cannot be read as an image; its text is the reason in plain words."""


def read_image(
    path: str | os.PathLike, *, max_side: int | None = None, min_side: int | None = None
) -> Image.Image:
    """Read an image file as RGB, upright, whatever its colour mode.

    Transparency is composited on white, the EXIF rotation is applied, and of an animation the first frame
    is taken. 16-bit and floating-point images are scaled to 8 bits rather than clipped. With `max_side`
    (pixels) larger images are made smaller, for thumbnails. `min_side` lets the decoder of JPEGs halve them,
    up to three times, as long as the shorter side keeps at least so many pixels, for encoders, which resize
    anyway. What cannot be read raises UnreadableImageError, whose text is the reason.
    """
    path = Path(path)
    head = _read_head(path)
    try:
        with Image.open(path, formats=_list_formats()) as image:
            _check_pixels(image.size)
            if image.format in ("JPEG", "MPO"):
                _reduce_while_decoding(image, max_side=max_side, min_side=min_side)
            image.load()
            upright = _turn_upright(image)
            # A file object of Pillow is closed on leaving; what is returned holds its own pixels.
            rgb = _convert_to_rgb(upright).copy()
    except UnreadableImageError:
        raise
    except _DECODER_ERRORS as error:
        raise UnreadableImageError(_explain(error, head)) from error
    if max_side is not None and max(rgb.size) > max_side:
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return rgb


def check_image(path: str | os.PathLike) -> tuple[int, int]:
    """Decode an image file to the end, so that damage anywhere is seen; give width and height, upright."""
    return read_image(path).size


def _read_head(path: Path) -> bytes:
    """First bytes of the file; the simple reasons are told apart here, before Pillow is asked."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError as error:
        raise UnreadableImageError("missing: there is no such file") from error
    except IsADirectoryError as error:
        raise UnreadableImageError("not a file: this is a folder") from error
    except OSError as error:
        raise UnreadableImageError(f"cannot be opened: {error.strerror or error}") from error
    if not head:
        raise UnreadableImageError("empty: the file has 0 bytes")
    return head


@cache
def _list_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > _PIXEL_LIMIT:
        raise UnreadableImageError(
            f"too large: its header says {size[0]} x {size[1]} pixels, more than the limit of "
            f"{_PIXEL_LIMIT:,} (a decompression bomb; save a smaller copy if it is a real picture)"
        )


def _reduce_while_decoding(image: Image.Image, *, max_side: int | None, min_side: int | None) -> None:
    """Have the JPEG decoder leave out detail that the result will not show."""
    width, height = image.size
    scale = 1.0
    if min_side is not None:
        scale = min_side / min(width, height)
    elif max_side is not None:  # twice the final size, so that the last resize still smooths
        scale = 2 * max_side / max(width, height)
    if 0 < scale < 1:
        image.draft(None, (max(1, int(np.ceil(width * scale))), max(1, int(np.ceil(height * scale)))))


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except _DECODER_ERRORS:  # damaged metadata say nothing about the pixels
        turn = None
    return image if turn is None else image.transpose(turn)


def _convert_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Map 16-bit values by their full range, floats in 0..1 or 0..255 by that, others by their own range."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I") and low >= 0 and high <= 65535:
        scaled = values / 257.0
    elif image.mode == "F" and low >= 0 and high <= 255:
        scaled = values * 255.0 if high <= 1 else values
    else:
        scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _explain(error: BaseException, head: bytes) -> str:
    """Turn what Pillow raised into a reason that a person can act on."""
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"too large: more than the limit of {_PIXEL_LIMIT:,} pixels (a decompression bomb)"
    if isinstance(error, MemoryError):
        return "too large: not enough memory to decode it"
    kind = next((name for start, name in _FIRST_BYTES.items() if head.startswith(start)), None)
    if not isinstance(error, UnidentifiedImageError):
        said = str(error).strip() or type(error).__name__
        return f"truncated or damaged: {said}"
    if kind is not None:
        return f"truncated or damaged: the file starts like a {kind} but has no readable header"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").split(maxsplit=1)[:1]
    word = start[0][:12] if start else head[:4]
    if word.isascii() and word.decode("ascii", "replace").isprintable():
        shown = word.decode("ascii").split(">")[0]
        return f"not an image: the file starts with {shown!r}"
    return f"not an image of a kind that is read here: the file starts with the bytes {head[:4].hex(' ')}"
