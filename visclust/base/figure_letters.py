"""Letters that no font of this machine has, and that a drawn figure would show as empty boxes."""

import functools
import html
import io
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import vl_convert
from PIL import Image

# Below it are Latin letters with their accents, which the fonts that come with the drawing have.
_LATIN = 0x250
_CELL = 48  # pixels
_IN_ROW = 20
# Two code points that never are letters: what stands there is what a letter without a font looks like.
_NO_LETTERS = ("\u0378", "\U000e0fff")


def list_texts(svg: str) -> Iterable[str]:
    """List the texts that an SVG shows."""
    for text in re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL):
        yield html.unescape(re.sub(r"<[^>]*>", "", text))


def find_missing_letters(texts: Iterable[str], *, family: str = "sans-serif") -> list[str]:
    """Find the letters in texts that no font here has, in the order in which they come, each once.

    Each is drawn by what draws the figures and compared with the box that stands for no letter: this asks no
    list of fonts, and holds for whatever it takes letters from. Marks, which have no place of their own, and
    spaces are left out.
    """
    letters = dict.fromkeys(letter for text in texts for letter in text if _is_shown(letter))
    return _find_missing(tuple(letters), family)


def _is_shown(letter: str) -> bool:
    return ord(letter) >= _LATIN and unicodedata.category(letter)[0] in "LNPS"


@functools.lru_cache(maxsize=64)
def _find_missing(letters: tuple[str, ...], family: str) -> list[str]:
    if not letters:
        return []
    cells = _draw((*_NO_LETTERS, *letters), family)
    boxes, drawn = cells[: len(_NO_LETTERS)], cells[len(_NO_LETTERS) :]
    same = [any(np.array_equal(cell, box) for box in boxes) or not cell.any() for cell in drawn]
    return [letter for letter, missing in zip(letters, same, strict=True) if missing]


def _draw(letters: tuple[str, ...], family: str) -> np.ndarray:
    """Draw each letter in a cell of its own, (n, pixels, pixels)."""
    rows = -(-len(letters) // _IN_ROW)
    texts = "".join(
        f'<text x="{place % _IN_ROW * _CELL + 8}" y="{place // _IN_ROW * _CELL + 34}">&#{ord(each)};</text>'
        for place, each in enumerate(letters)
    )
    wide, high = _IN_ROW * _CELL, rows * _CELL
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
        f'viewBox="0 0 {wide} {high}" font-family="{family}" font-size="24px">{texts}</svg>'
    )
    with Image.open(io.BytesIO(vl_convert.svg_to_png(svg, ppi=72))) as image:
        drawn = np.asarray(image.convert("RGBA"))[..., 3]
    grid = drawn.reshape(rows, _CELL, _IN_ROW, _CELL).swapaxes(1, 2)
    return grid.reshape(-1, _CELL, _CELL)[: len(letters)]
