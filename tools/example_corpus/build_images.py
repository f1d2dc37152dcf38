"""Rebuild the images of the example corpus from two Debian packages.

Run ``python tools/example_corpus/build_images.py`` on Debian, or with ``--unpacked FOLDER`` anywhere
that both packages were unpacked with ``dpkg -x``. The same Pillow gives the same bytes.
"""

import argparse
import io
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from image_sources import VERSIONS, Photograph, list_photographs
from PIL import Image, ImageDraw, ImageFont

from visclust.base.files import format_csv, write_text

_DATA = Path(__file__).parents[2] / "visclust" / "example_data"

LONGEST_SIDE = 224
QUALITY = 92
SEED = 20160718
VARIANTS_PER_KIND = 32
COPIES = 12

LICENCE_ADDRESSES = {
    "GPL-2": "GPL-2.txt",
    "GPL-2+": "GPL-2.txt",
    "public-domain": "",
    **{
        f"CC-{kind.upper()}-{version}": f"https://creativecommons.org/licenses/{kind}/{version}/"
        for kind in ("by", "by-sa")
        for version in ("2.0", "2.5", "3.0", "4.0")
    },
}
_CAPTIONS = [
    "WHEN MONDAY COMES",
    "SHARE IF YOU AGREE",
    "NO WORDS NEEDED",
    "nobody: / me:",
    "LOOK AT THIS",
    "BREAKING",
    "we were all there",
    "NEVER FORGET",
]


class _File(NamedTuple):
    """One image to be shipped: its bytes, its photograph, what was done, and from which other file."""

    content: bytes
    photograph: Photograph
    changes: str
    source: int | None
    kind: str


def build_images(root: Path, to: Path, *, seed: int = SEED) -> pd.DataFrame:
    """Make the images and the tables beside them: attributions, groups and near-duplicates.

    Parameters
    ----------
    root : pathlib.Path
        Folder into which both packages were unpacked.
    to : pathlib.Path
        Folder for ``images/``, ``ATTRIBUTION.csv``, ``groups.csv`` and ``near_duplicates.csv``.
        An ``images`` folder that is there is replaced.
    seed : int
        Seed of the choice of near-duplicates and of the numbers in the file names.

    Returns
    -------
    DataFrame
        The attributions, one row per file.
    """
    generator = np.random.default_rng(seed)
    files = [_prepare_photograph(root, photograph) for photograph in list_photographs(root)]
    files += _make_near_duplicates(files, generator)

    # Numbered in random order, so that neither a name nor the order of the names gives the group away.
    numbers = generator.permutation(len(files)) + 1
    names = [f"photo_{number:04d}.jpg" for number in numbers]
    shutil.rmtree(to / "images", ignore_errors=True)
    (to / "images").mkdir(parents=True)
    for name, file in zip(names, files, strict=True):
        (to / "images" / name).write_bytes(file.content)

    attributions = pd.DataFrame(
        {
            "path": names,
            "group": [file.photograph.group for file in files],
            "source_package": [file.photograph.package for file in files],
            "source_version": [VERSIONS[file.photograph.package] for file in files],
            "source_path": [file.photograph.source_path for file in files],
            "author": [file.photograph.author for file in files],
            "licence": [file.photograph.licence for file in files],
            "licence_text": [LICENCE_ADDRESSES[file.photograph.licence] for file in files],
            "credited_in": [file.photograph.credited_in for file in files],
            "changes": [file.changes for file in files],
        }
    ).sort_values("path", ignore_index=True)
    near_duplicates = pd.DataFrame(
        [
            (name, names[file.source], file.kind)
            for name, file in zip(names, files, strict=True)
            if file.source is not None
        ],
        columns=["path", "source_path", "kind"],
    ).sort_values("path")
    for name, table in (
        ("ATTRIBUTION", attributions),
        ("groups", attributions[["path", "group"]]),
        ("near_duplicates", near_duplicates),
    ):
        rows = table.itertuples(index=False)
        write_text(to / f"{name}.csv", format_csv(list(table.columns), rows, ending="\n"))
    return attributions


def _prepare_photograph(root: Path, photograph: Photograph) -> _File:
    with Image.open(root / photograph.source_path) as opened:
        if photograph.package == "endless-sky-data":
            image = opened.convert("RGB")
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            return _File(_encode(image), photograph, "resized, re-compressed", None, "")
        stamp = opened.convert("RGBA")
    changes = "put on a white square, saved as JPEG"
    stamp = _trim_transparent(stamp)
    if max(stamp.size) > LONGEST_SIDE - 16:
        # Resized with colours weighted by opacity (Pillow's "RGBa"), else hidden ones bleed into the edge.
        weighted = stamp.convert("RGBa")
        weighted.thumbnail((LONGEST_SIDE - 16, LONGEST_SIDE - 16), Image.Resampling.LANCZOS)
        stamp, changes = weighted.convert("RGBA"), f"resized, {changes}"
    # A square, because encoders look at the middle square only and would cut a long stamp.
    side = max(stamp.size) + 16
    image = Image.new("RGB", (side, side), "white")
    image.paste(stamp, ((side - stamp.width) // 2, (side - stamp.height) // 2), stamp)
    return _File(_encode(image), photograph, changes, None, "")


def _trim_transparent(stamp: Image.Image) -> Image.Image:
    box = stamp.getchannel("A").getbbox()
    return stamp.crop(box) if box else stamp


def _encode(image: Image.Image, quality: int = QUALITY) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _make_near_duplicates(files: list[_File], generator: np.random.Generator) -> list[_File]:
    """Make near-duplicates of some photographs, a few of them in several ways, then exact copies."""
    makers = {"crop": _crop, "recompression": _recompress, "caption": _caption}
    made = []
    for kind, make in makers.items():
        # Two pools, so that some photographs come in up to three ways while most of the sources differ.
        popular = generator.choice(20, VARIANTS_PER_KIND // 4, replace=False) * (len(files) // 20)
        others = generator.choice(len(files), VARIANTS_PER_KIND, replace=False)
        sources = list(dict.fromkeys([*popular, *others]))[:VARIANTS_PER_KIND]
        for source in map(int, sources):
            image = Image.open(io.BytesIO(files[source].content))
            content, what = make(image, generator)
            changes = f"{files[source].changes}, {what}"
            made.append(_File(content, files[source].photograph, changes, source, kind))
    for source in map(int, generator.choice(len(files), COPIES, replace=False)):
        file = files[source]
        changes = f"{file.changes}, copied under a second name"
        made.append(file._replace(changes=changes, source=source, kind="copy"))
    return made


def _crop(image: Image.Image, generator: np.random.Generator) -> tuple[bytes, str]:
    share = generator.uniform(0.78, 0.92)
    width, height = round(image.width * share), round(image.height * share)
    left = int(generator.integers(image.width - width + 1))
    top = int(generator.integers(image.height - height + 1))
    return _encode(
        image.crop((left, top, left + width, top + height))
    ), f"cropped to {share:.0%} of each side"


def _recompress(image: Image.Image, generator: np.random.Generator) -> tuple[bytes, str]:
    quality = int(generator.integers(25, 61))
    return _encode(image, quality), f"re-compressed at quality {quality}"


def _caption(image: Image.Image, generator: np.random.Generator) -> tuple[bytes, str]:
    bar, text = max(14, round(image.height * 0.14)), str(generator.choice(_CAPTIONS))
    on_top, dark = bool(generator.integers(2)), bool(generator.integers(2))
    canvas = Image.new("RGB", (image.width, image.height + bar), "black" if dark else "white")
    canvas.paste(image, (0, bar if on_top else 0))
    draw, size = ImageDraw.Draw(canvas), bar * 0.7
    while size > 6 and draw.textlength(text, ImageFont.load_default(size)) > image.width - 6:
        size -= 1
    middle = (image.width / 2, bar / 2 if on_top else image.height + bar / 2)
    draw.text(middle, text, "white" if dark else "black", ImageFont.load_default(size), anchor="mm")
    canvas.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return _encode(canvas), f"caption bar added at the {'top' if on_top else 'bottom'}"


def _unpack_packages(to: Path) -> Path:
    """Download both packages with apt and unpack them, installing nothing."""
    names = [f"{package}={version}" for package, version in VERSIONS.items()]
    subprocess.run(["apt-get", "download", *names], cwd=to, check=True)
    for archive in sorted(to.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(archive), str(to / "root")], check=True)
    return to / "root"


def _main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--unpacked", type=Path, help="folder with both packages unpacked (else: apt-get download)"
    )
    parser.add_argument("--to", type=Path, default=_DATA, help="default: the data of the package")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        table = build_images(given.unpacked or _unpack_packages(Path(scratch)), given.to)
    size = sum(path.stat().st_size for path in (given.to / "images").iterdir()) / 1e6
    groups = table["group"].nunique()
    print(f"{len(table)} images in {groups} groups, {size:.2f} MB, in {given.to / 'images'}")


if __name__ == "__main__":
    _main()
