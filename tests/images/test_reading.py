import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from visclust.images import reading
from visclust.images.reading import _PIXEL_LIMIT, DRAWN_ON_GREY, UnreadableImageError, check_image, read_image

# JPEG is lossy: a flat colour comes back within a few of 255 levels.
JPEG_SLACK = 4


def noisy(width, height, mode="RGB", seed=0):
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (height, width) if channels == 1 else (height, width, channels)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def save(image, path, **options):
    image.save(path, **options)
    return path


def corner(image):
    return image.getpixel((0, 0))


def png_with_header(width, height):
    """A PNG of a few bytes that claims any size."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 128, (128, 128, 128)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), (255, 255, 255)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
    ],
)
def test_every_png_mode_becomes_rgb_with_transparency_on_white(tmp_path, mode, value, expected):
    image = read_image(save(Image.new(mode, (5, 4), value), tmp_path / "a.png"))
    assert image.mode == "RGB"
    assert corner(image) == expected


def test_half_transparent_black_on_white_is_gray(tmp_path):
    path = save(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), tmp_path / "a.png")
    assert corner(read_image(path)) == (127, 127, 127)


def test_a_palette_gives_its_colours_and_its_transparent_entry_is_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert corner(read_image(save(image, tmp_path / "plain.png"))) == (255, 0, 0)
    see_through = read_image(save(image, tmp_path / "transparent.png", transparency=0))
    assert see_through.getpixel((0, 0)) == (255, 255, 255)
    assert see_through.getpixel((1, 0)) == (0, 0, 255)


def test_a_transparent_colour_of_an_rgb_png_is_white(tmp_path):
    path = save(Image.new("RGB", (2, 2), (1, 2, 3)), tmp_path / "a.png", transparency=(1, 2, 3))
    assert corner(read_image(path)) == (255, 255, 255)


def test_a_cmyk_jpeg_keeps_its_colours(tmp_path):
    path = save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    assert np.abs(np.subtract(corner(read_image(path)), (255, 0, 0))).max() <= JPEG_SLACK


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_rotation_is_applied(tmp_path, orientation):
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste("black", (0, 0, 16, 8))  # the dark quarter is at the top left once upright
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    undo |= {7: "TRANSVERSE", 8: "ROTATE_270"}
    turn = undo.get(orientation)
    stored = upright.transpose(Image.Transpose[turn]) if turn else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(stored, tmp_path / "a.jpg", exif=exif, quality=95)
    image = read_image(path)
    assert image.size == (32, 16)
    assert check_image(path) == (32, 16, "")
    assert image.getpixel((4, 4))[0] < 50
    assert min(image.getpixel(spot)[0] for spot in [(28, 4), (4, 12), (28, 12)]) > 200


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_gives_its_first_frame(tmp_path, ending):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    path = save(frames[0], tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    red, _, blue = corner(read_image(path))
    assert red > 240
    assert blue < 15


def test_16_bits_are_scaled_rather_than_clipped(tmp_path):
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        image = read_image(save(Image.fromarray(values), tmp_path / name))
        assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_32_bit_and_floating_point_values_are_scaled_to_8_bits(tmp_path):
    def levels(values, name):
        return np.asarray(read_image(save(Image.fromarray(values), tmp_path / name)))[0, :, 0].tolist()

    assert levels(np.array([[-1000, 0, 1000]], dtype=np.int32), "a.tif") == [0, 128, 255]
    assert levels(np.array([[0.0, 0.5, 1.0]], dtype=np.float32), "b.tif") == [0, 128, 255]
    assert levels(np.array([[0.0, 100.0, 255.0]], dtype=np.float32), "c.tif") == [0, 100, 255]
    assert levels(np.array([[0.0, 500.0, np.nan]], dtype=np.float32), "d.tif") == [0, 255, 0]


def test_max_side_makes_smaller_with_the_proportions_kept_and_never_larger(tmp_path):
    for name in ("a.jpg", "a.png"):
        path = save(noisy(400, 200), tmp_path / name)
        assert read_image(path, max_side=100).size == (100, 50)
        assert read_image(path, max_side=1000).size == (400, 200)


def test_min_side_decodes_a_jpeg_smaller_but_never_below_it(tmp_path):
    path = save(Image.new("RGB", (1024, 768), (200, 100, 50)), tmp_path / "a.jpg", quality=95)
    image = read_image(path, min_side=256)
    assert image.size == (512, 384)
    assert np.abs(np.subtract(corner(image), (200, 100, 50))).max() <= JPEG_SLACK
    assert read_image(path, min_side=700).size == (1024, 768)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "bmp", "tif"])
def test_a_file_cut_in_the_middle_is_unreadable_with_a_reason(tmp_path, ending):
    path = save(noisy(64, 64), tmp_path / f"a.{ending}")
    whole = path.read_bytes()
    for part in (len(whole) // 2, 20):
        path.write_bytes(whole[:part])
        with pytest.raises(UnreadableImageError, match="truncated or damaged"):
            check_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: the file has 0 bytes"),
        (b"<html><body>404</body></html>", "not an image: the file starts with '<html'"),
        (b"\n  <!DOCTYPE html>\n", "not an image: the file starts with '<!DOCTYPE'"),
        (b"\x00\x01\x02\x03" * 10, "not an image of a kind that is read here: .*00 01 02 03"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image: the file starts with '%!PS-Adobe-3'"),
    ],
)
def test_what_is_not_an_image_says_what_it_is(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(path)


def test_a_missing_file_and_a_folder_are_unreadable_with_a_reason(tmp_path):
    with pytest.raises(UnreadableImageError, match="missing"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(UnreadableImageError, match="folder"):
        read_image(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_500, 100_000])
def test_a_decompression_bomb_is_refused_from_its_header(tmp_path, side):
    assert side**2 > _PIXEL_LIMIT
    path = tmp_path / "bomb.png"
    path.write_bytes(png_with_header(side, side))
    with pytest.raises(UnreadableImageError, match="too large"):
        read_image(path)


def test_damaged_exif_does_not_make_the_pixels_unreadable(tmp_path):
    path = tmp_path / "a.jpg"
    noisy(32, 16).save(path, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01")
    assert check_image(path) == (32, 16, "")


@pytest.mark.filterwarnings("ignore")  # Pillow also warns of damaged metadata
def test_damage_at_any_byte_is_a_reason_or_an_image_but_never_a_crash(tmp_path):
    generator = np.random.default_rng(0)
    path = tmp_path / "a"
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        buffer = io.BytesIO()
        noisy(24, 24).save(buffer, kind)
        for _ in range(60):
            content = bytearray(buffer.getvalue())
            for spot in generator.integers(0, len(content), 3):
                content[spot] = generator.integers(0, 256)
            path.write_bytes(content)
            try:
                assert read_image(path).mode == "RGB"
            except UnreadableImageError as error:
                assert str(error)


def test_reading_changes_no_global_setting_and_threads_agree(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    paths = [save(noisy(50, 40, seed=seed), tmp_path / f"{seed}.jpg") for seed in range(8)] * 4
    with ThreadPoolExecutor(8) as pool:
        threaded = [image.tobytes() for image in pool.map(read_image, paths)]
    assert threaded == [read_image(path).tobytes() for path in paths]
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def paint_white(shape_seed):
    """A white drawing on transparency: on white paper nothing is left of it."""
    drawing = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
    rng = np.random.default_rng(shape_seed)
    for _ in range(5):
        left, top = (int(value) for value in rng.integers(0, 30, 2))
        drawing.paste((255, 255, 255, 255), (left, top, left + 8, top + 8))
    return drawing


@pytest.mark.parametrize("form", ["RGBA", "LA", "P", "webp"])
def test_white_drawings_on_transparency_are_drawn_on_grey_and_stay_different(tmp_path, form):
    pixels = set()
    for seed in range(4):
        drawing = paint_white(seed)
        path = tmp_path / f"{seed}.{'webp' if form == 'webp' else 'png'}"
        save(drawing if form in ("RGBA", "webp") else drawing.convert(form), path)
        assert check_image(path)[2] == DRAWN_ON_GREY
        pixels.add(read_image(path).tobytes())
    assert len(pixels) == 4


def test_an_image_of_nothing_but_transparency_stays_white_without_a_note(tmp_path):
    path = save(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), tmp_path / "a.png")
    assert check_image(path) == (8, 8, "")
    assert corner(read_image(path)) == (255, 255, 255)


def test_a_black_drawing_on_transparency_stays_on_white(tmp_path):
    drawing = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    drawing.putpixel((3, 3), (0, 0, 0, 255))
    path = save(drawing, tmp_path / "a.png")
    assert check_image(path)[2] == ""
    assert corner(read_image(path)) == (255, 255, 255)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_that_lacks_nothing_but_its_end_mark_is_read(tmp_path, missing):
    path = save(noisy(64, 48), tmp_path / "a.jpg", quality=90)
    whole = np.asarray(read_image(path))
    path.write_bytes(path.read_bytes()[:-missing])
    assert np.array_equal(np.asarray(read_image(path)), whole)


@pytest.mark.parametrize("missing", [4, 10, 100])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}], ids=str)
def test_a_jpeg_that_lacks_pixels_too_is_unreadable(tmp_path, missing, options):
    path = save(noisy(64, 48), tmp_path / "a.jpg", quality=90, **options)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_image(path)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_transparent_grey_of_a_png_is_white_at_any_depth(tmp_path, bits):
    dtype, clear = (np.uint8, 100) if bits == 8 else (np.uint16, 25_700)
    values = np.full((4, 4), clear, dtype=dtype)
    values[1, 1] = 0
    path = save(Image.fromarray(values), tmp_path / "a.png", transparency=clear)
    image = read_image(path)
    assert corner(image) == (255, 255, 255)
    assert image.getpixel((1, 1)) == (0, 0, 0)


def test_large_pixels_come_out_the_same_in_strips(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 65536, (37, 29), dtype=np.uint16)
    deep = save(Image.fromarray(values), tmp_path / "deep.png")
    clear = save(noisy(29, 37, mode="RGBA"), tmp_path / "clear.png")
    whole = [np.asarray(read_image(path)) for path in (deep, clear)]
    monkeypatch.setattr(reading, "_STRIP_PIXELS", 100)
    for path, expected in zip((deep, clear), whole, strict=True):
        assert np.array_equal(np.asarray(read_image(path)), expected)


def test_a_large_jpeg_is_decoded_smaller_and_keeps_the_size_it_has(tmp_path, monkeypatch):
    path = save(Image.new("RGB", (800, 600), "red"), tmp_path / "a.jpg")
    monkeypatch.setattr(reading, "_BYTE_LIMIT", 8 * 400 * 300)
    assert check_image(path) == (800, 600, "")
    assert read_image(path).size == (400, 300)


def test_a_jpeg_of_more_pixels_than_pillow_warns_of_is_read_without_a_warning(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 108 megapixels would take the test seconds
    path = save(Image.new("RGB", (80, 60), "red"), tmp_path / "a.jpg")
    assert read_image(path).size == (80, 60)
    assert not recwarn.list


def test_what_is_too_large_says_how_it_can_be_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_with_header(11_000, 8_000))
    with pytest.raises(UnreadableImageError, match="truncated"):  # within the limit: the header is believed
        read_image(path)
    path.write_bytes(png_with_header(12_000, 9_000))
    with pytest.raises(UnreadableImageError, match="save it smaller or as an ordinary JPEG"):
        read_image(path)


def test_a_large_picture_is_reduced_for_an_encoder_before_the_next_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_LARGE_BYTES", 1000)
    path = save(Image.new("L", (900, 600), 7), tmp_path / "a.png")
    assert read_image(path, min_side=100).size == (300, 200)
    assert read_image(path).size == (900, 600)


def test_heic_says_which_package_reads_it(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00" + b"\x00" * 40)
    with pytest.raises(UnreadableImageError, match="pip install pillow-heif"):
        read_image(path)


# Linux counts what the process that started it held into ru_maxrss, so that the status is read there.
MEMORY = """
import pathlib, resource, sys
from concurrent.futures import ThreadPoolExecutor
from visclust.images.reading import read_image
import numpy
def peak():
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.read_text().split("VmHWM:")[1].split()[0])
read_image(sys.argv[1], min_side=256)
before = peak()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda path: read_image(path, min_side=256), sys.argv[2:]))
print((peak() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["I;16", "RGBA", "RGB", "L"])
def test_four_threads_on_the_largest_images_take_no_more_than_the_limit(tmp_path, mode):
    small = save(noisy(20, 20), tmp_path / "small.png")
    large = save(Image.new(mode, (9_459, 9_459)), tmp_path / "large.png", compress_level=1)
    command = [sys.executable, "-c", MEMORY, str(small), *[str(large)] * 4]
    megabytes = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # One tenth more than the limit: the reader's buffers and what the allocator keeps.
    assert megabytes < 1.1 * reading._BYTE_LIMIT / 2**20
