"""Read image files of every kind as RGB, and say plainly why a file cannot be read."""

import ctypes
import hashlib
import io
import os
import struct
import threading
import zlib
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

IMAGE_ENDINGS = frozenset(
    (
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".png",
            ".apng",
            ".gif",
            ".webp",
            ".bmp",
            ".tif",
            ".tiff",
        ),
        *(".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif"),
    )
)

# Where Pillow starts to warn of a decompression bomb. Cameras whose pictures are passed around stay well
# below, but for JPEGs, which can be decoded smaller than they are.
_PIXEL_LIMIT = 89_478_485
_JPEG_PIXEL_LIMIT = 500_000_000

# What decoding one image may take in all, and from where on images are decoded one after the other, so that
# the memory taken does not grow with the number of threads.
_BYTE_LIMIT = 768 * 2**20
_LARGE_BYTES = 128 * 2**20
_one_large_image = threading.Lock()
_STRIP_PIXELS = 2**20

# A difference of so many of 255 levels over the whole picture is nothing that a person or a network sees.
_NOTHING_TO_SEE = 8
DRAWN_ON_GREY = "drawn on grey: on white nothing of it would be seen"

# EPS and the like are left out on purpose: Pillow would start another program to draw them. HEIF is there
# where its user registered pillow-heif.
_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "PPM", "HEIF")

_FIRST_BYTES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"RIFF": "WebP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"BM": "BMP",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
# These begin as TIFFs do, and Pillow would take the small preview in them for the photograph.
_RAW_ENDINGS = frozenset(
    (
        *(".dng", ".nef", ".nrw", ".cr2", ".arw", ".sr2", ".srf"),
        *(".orf", ".pef", ".raw", ".rw2", ".3fr", ".iiq", ".erf"),
    )
)

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
_SIDEWAYS = (5, 6, 7, 8)
_EXIF_ORIENTATION = 0x0112
# Bytes of a decoded pixel in Pillow, by mode; 4 for all others.
_STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}


class UnreadableImageError(ValueError):
    """A file that cannot be read as an image; its text is the reason in plain words."""


class _Picture(NamedTuple):
    """An image in RGB, upright; the size of the whole, upright; and a note on how it was made, or ""."""

    rgb: Image.Image
    size: tuple[int, int]
    note: str


def read_image(
    path: str | os.PathLike, *, max_side: int | None = None, min_side: int | None = None
) -> Image.Image:
    """Read an image file as RGB, upright, whatever its colour mode.

    Transparency is composited on white, or on grey where on white nothing would be seen; the EXIF rotation
    is applied, and of an animation the first frame is taken. 16-bit and floating-point images are scaled to
    8 bits rather than clipped. With `max_side` (pixels) larger images are made smaller, for thumbnails.
    `min_side` lets the decoder of JPEGs halve them, up to three times, as long as the shorter side keeps at
    least so many pixels, for encoders, which resize anyway; very large images of other kinds are reduced
    likewise. A JPEG that would take more than the limit of memory is always decoded smaller. What cannot be
    read raises UnreadableImageError, whose text is the reason.
    """
    return _read_picture(path, max_side=max_side, min_side=min_side).rgb


def check_image(path: str | os.PathLike) -> tuple[int, int, str]:
    """Decode an image to the end, so that damage anywhere is seen; give its size, upright, and a note."""
    picture = _read_picture(path)
    return *picture.size, picture.note


def _read_picture(
    path: str | os.PathLike, *, max_side: int | None = None, min_side: int | None = None
) -> _Picture:
    path = Path(path)
    head = _read_head(path)
    source: Path | io.BytesIO = path
    try:
        try:
            return _decode(source, head, max_side=max_side, min_side=min_side)
        except OSError:
            whole = _end_jpeg(path) if head.startswith(b"\xff\xd8\xff") else None
            if whole is None:
                raise
            return _decode(io.BytesIO(whole), head, max_side=max_side, min_side=min_side)
    except UnreadableImageError:
        raise
    except _DECODER_ERRORS as error:
        raise UnreadableImageError(_explain(error, head)) from error


def _decode(
    source: Path | io.BytesIO, head: bytes, *, max_side: int | None, min_side: int | None
) -> _Picture:
    """Decode an image within the limit of memory."""
    with _open(source, head) as image:
        size = image.size
        if _limit_memory(image, max_side=max_side, min_side=min_side) <= _LARGE_BYTES:
            return _finish(image, size, max_side=max_side, min_side=None)
        with _one_large_image:  # of all threads, so that memory does not grow with their number
            picture = _finish(image, size, max_side=max_side, min_side=min_side)
            _give_memory_back()
    return picture


def _give_memory_back() -> None:
    """Have the allocator give back what was freed: glibc keeps it for each thread, and others pay again."""
    with suppress(OSError, AttributeError):  # where the system's library is another one
        ctypes.CDLL(None).malloc_trim(0)


def _finish(
    image: Image.Image, size: tuple[int, int], *, max_side: int | None, min_side: int | None
) -> _Picture:
    image.load()
    turn = _find_turn(image)  # which decodes a PNG
    rgb, note = _convert_to_rgb(image)
    image.close()  # its pixels are freed here, and not when the caller's frame goes
    if turn in _TURNS:
        rgb = rgb.transpose(_TURNS[turn])
    if max_side is not None and max(rgb.size) > max_side:
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    elif min_side is not None and (factor := min(rgb.size) // (2 * min_side)) > 1:
        rgb = rgb.reduce(factor)
    return _Picture(rgb, size[::-1] if turn in _SIDEWAYS else size, note)


def _open(source: Path | io.BytesIO, head: bytes) -> Image.Image:
    """Open an image; a JPEG by its own class, since Image.open does not know how small it will be decoded."""
    if not head.startswith(b"\xff\xd8\xff"):
        return Image.open(source, formats=_list_formats())
    try:
        return JpegImagePlugin.JpegImageFile(source)
    except SyntaxError as error:
        raise UnidentifiedImageError(str(error)) from error


def _end_jpeg(path: Path) -> bytes | None:
    """Give a JPEG that lacks nothing but its end mark with the mark; None for every other file.

    Decoders fill what is missing. If all pixels are there, what stands before the mark no longer matters; if
    some are missing, different fillings give different pixels.
    """
    content = path.read_bytes()
    if content.rstrip(b"\0").endswith(b"\xff\xd9"):
        return None
    content = content.removesuffix(b"\xff")
    pixels = set()
    for filling in (b"", b"\x55" * 64, b"\xaa" * 64):
        with JpegImagePlugin.JpegImageFile(io.BytesIO(content + filling + b"\xff\xd9")) as image:
            needed = _limit_memory(image, max_side=None, min_side=None)
            with _one_large_image if needed > _LARGE_BYTES else nullcontext():
                image.load()
                pixels.add(hashlib.sha256(image.tobytes()).digest())  # three large pictures would be too much
                image.close()
    return content + b"\xff\xd9" if len(pixels) == 1 else None


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


def _list_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def recognise_kind(path: str | os.PathLike) -> str:
    """Name the kind of image that a file's first bytes are of, such as "PNG", whatever its name; or ""."""
    try:
        with Path(path).open("rb") as file:
            return "" if Path(path).suffix.lower() in _RAW_ENDINGS else _recognise(file.read(64))
    except OSError:
        return ""


def _recognise(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    kind = next((name for start, name in _FIRST_BYTES.items() if head.startswith(start)), "")
    if kind == "WebP" and head[8:12] != b"WEBP":
        return ""
    if kind == "BMP" and int.from_bytes(head[14:18], "little") not in _BMP_HEADERS:
        return ""
    return kind


def _limit_memory(image: Image.Image, *, max_side: int | None, min_side: int | None) -> int:
    """Estimate the bytes that decoding takes, and refuse what is beyond the limit.

    The decoder of JPEGs is told to leave out detail that the result will not show, and what does not fit.
    """
    width, height = image.size
    if image.format != "JPEG":
        if width * height > _PIXEL_LIMIT:
            raise UnreadableImageError(_say_too_large(width, height, f"{_PIXEL_LIMIT:,} pixels"))
        needed = width * height * (_STORED_BYTES.get(image.mode, 4) + 4)
    else:
        if width * height > _JPEG_PIXEL_LIMIT:
            raise UnreadableImageError(_say_too_large(width, height, f"{_JPEG_PIXEL_LIMIT:,} pixels"))
        scale = 1.0
        if min_side is not None:
            scale = min_side / min(width, height)
        elif max_side is not None:  # twice the final size, so that the last resize still smooths
            scale = 2 * max_side / max(width, height)
        # A progressive file keeps all its coefficients, two bytes each, until the last scan is read.
        kept = width * height * 6 if image.info.get("progressive") else 0
        while scale > 1 / 8 and kept + 8 * width * height * min(scale, 1.0) ** 2 > _BYTE_LIMIT:
            scale = min(scale, 1.0) / 2
        if scale < 1:
            image.draft(None, (max(1, int(np.ceil(width * scale))), max(1, int(np.ceil(height * scale)))))
        needed = kept + 8 * image.size[0] * image.size[1]
    if needed > _BYTE_LIMIT:
        limit = f"{_BYTE_LIMIT // 2**20} megabytes that one image may take"
        raise UnreadableImageError(_say_too_large(width, height, limit))
    return needed


def _say_too_large(width: int, height: int, limit: str) -> str:
    return (
        f"too large: its header says {width} x {height} pixels, more than the limit of {limit} (a "
        "decompression bomb; if it is a real picture, save it smaller or as an ordinary JPEG)"
    )


def _find_turn(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except _DECODER_ERRORS:  # damaged metadata say nothing about the pixels
        return 1


def _convert_to_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Convert a decoded image to one in RGB of its own, and note where it stands on grey."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_to_8_bits(image), ""
    if not image.has_transparency_data:
        return image.convert("RGB"), ""
    rgb = _put_on(image, "white")
    if not _is_flat(rgb):
        return rgb, ""
    del rgb  # only one of them in memory at a time
    rgb = _put_on(image, "gray")
    if not _is_flat(rgb):
        return rgb, DRAWN_ON_GREY
    del rgb
    return _put_on(image, "white"), ""


def _put_on(image: Image.Image, colour: str) -> Image.Image:
    """Composite a transparent image on a colour, in strips, so that it does not stand in memory often."""
    rgb = Image.new("RGB", image.size)
    for box in _list_strips(image):
        strip = image.crop(box)
        strip.info.update(image.info)  # a colour or entry of the palette that is transparent
        rgba = strip.convert("RGBA")
        rgb.paste(Image.alpha_composite(Image.new("RGBA", rgba.size, colour), rgba).convert("RGB"), box)
    return rgb


def _list_strips(image: Image.Image) -> list[tuple[int, int, int, int]]:
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width)
    return [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]


def _is_flat(image: Image.Image) -> bool:
    bands = cast("tuple[tuple[int, int], ...]", image.getextrema())  # of one in RGB
    return all(high - low <= _NOTHING_TO_SEE for low, high in bands)


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Map 16-bit values by their full range, floats in 0..1 or 0..255 by that, others by their own range.

    The one value that a PNG may name as transparent becomes white.
    """
    boxes = _list_strips(image)
    spans = [(values.min(), values.max()) for values in (_read_values(image, box) for box in boxes)]
    low, high = float(min(low for low, _ in spans)), float(max(high for _, high in spans))
    clear = image.info.get("transparency") if image.mode.startswith("I") else None
    rgb = Image.new("RGB", image.size)
    for box in boxes:
        values = _read_values(image, box)
        if image.mode.startswith("I") and low >= 0 and high <= 65535:
            scaled = values / 257.0
        elif image.mode == "F" and low >= 0 and high <= 255:
            scaled = values * 255.0 if high <= 1 else values
        else:
            scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
        if isinstance(clear, int):
            scaled = np.where(values == clear, 255.0, scaled)
        rgb.paste(Image.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB"), box)
    return rgb


def _read_values(image: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.nan_to_num(np.asarray(image.crop(box)).astype(np.float64), posinf=0.0, neginf=0.0)


def _explain(error: BaseException, head: bytes) -> str:
    """Turn what Pillow raised into a reason that a person can act on."""
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"too large: more than the limit of {_PIXEL_LIMIT:,} pixels (a decompression bomb)"
    if isinstance(error, MemoryError):
        return "too large: not enough memory to decode it"
    kind = _recognise(head)
    if kind == "HEIC" and "HEIF" not in Image.OPEN:
        return (
            "HEIC, which needs the package pillow-heif: pip install pillow-heif, then before this "
            "import pillow_heif; pillow_heif.register_heif_opener(). Or save the pictures as JPEG"
        )
    if not isinstance(error, UnidentifiedImageError):
        said = str(error).strip() or type(error).__name__
        return f"truncated or damaged: {said}"
    if kind:
        return f"truncated or damaged: the file starts like a {kind} but has no readable header"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").split(maxsplit=1)[:1]
    word = start[0][:12] if start else head[:4]
    if word.isascii() and word.decode("ascii", "replace").isprintable():
        shown = word.decode("ascii").split(">")[0]
        return f"not an image: the file starts with {shown!r}"
    return f"not an image of a kind that is read here: the file starts with the bytes {head[:4].hex(' ')}"
