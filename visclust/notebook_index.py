"""Gather the pictures of executed notebooks on one page that needs nothing but itself."""

import base64
import os
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import nbformat

from visclust.base.files import write_atomically

# Pictures inside the page are allowed, and nothing else: no script of an output can run.
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>visclust: pictures of a run</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
figure { margin: 1.5rem 0 2.5rem; overflow-x: auto; }
figure > img { max-width: 100%; height: auto; }
figcaption { max-width: 45rem; white-space: pre-line; margin-bottom: .75rem; }
</style>
</head>
<body>
<h1>Pictures of a run</h1>
"""


class Picture(NamedTuple):
    """One output: the text before it, its PNG or its HTML, and the width to show the PNG at (0: its own)."""

    caption: str
    png: bytes
    html: str
    width: int


def find_pictures(notebook: nbformat.NotebookNode) -> Iterator[Picture]:
    """Go through the pictures among a notebook's outputs: PNGs, and HTML that shows images.

    Parameters
    ----------
    notebook : NotebookNode
        An executed notebook.

    Yields
    ------
    Picture
        In the order of the cells. The caption is the text of the nearest markdown cell before it, given
        to the first picture after that cell only.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("x", outputs=[
    ...     nbformat.v4.new_output("display_data", {"text/html": "<img src='data:,'>"})])
    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("## Rows"), cell])
    >>> [picture.caption for picture in find_pictures(notebook)]
    ['Rows']
    """
    caption = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            caption = _strip_marks(cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            html = _join(data.get("text/html", ""))
            if "image/png" in data:
                png = base64.b64decode(_join(data["image/png"]))
                width = output.get("metadata", {}).get("image/png", {}).get("width", 0)
                yield Picture(caption, png, "", int(width))
            elif "<img" in html:
                yield Picture(caption, b"", html, 0)
            else:
                continue
            caption = ""


def write_index(notebooks: Sequence[str | os.PathLike], *, to: str | os.PathLike) -> Path:
    """Write the pictures of executed notebooks as files, and as one page with their titles and captions.

    Parameters
    ----------
    notebooks : sequence of str or path
        Executed notebooks, in the order wanted.
    to : str or path
        Folder for ``index.html`` and for ``pictures/<notebook>-<number>.png``.

    Returns
    -------
    pathlib.Path
        The page. Titles and captions are escaped, and its content policy lets no script run.

    Examples
    --------
    >>> import tempfile
    >>> write_index([], to=tempfile.mkdtemp()).name
    'index.html'
    """
    to = Path(to)
    parts = [_HEAD]
    for path in map(Path, notebooks):
        notebook = nbformat.read(path, as_version=4)
        parts.append(f"<h2>{escape(_find_title(notebook) or path.stem)}</h2>\n")
        pictures = list(find_pictures(notebook))
        for old in (to / "pictures").glob(f"{path.stem}-*.png"):
            old.unlink()  # an earlier run may have made more of them
        for number, picture in enumerate(pictures, start=1):
            name = f"{path.stem}-{number}"
            if picture.png:
                _save(to / "pictures" / f"{name}.png", picture.png)
            parts.append(_draw_figure(picture, name))
        if not pictures:
            parts.append("<p>No pictures.</p>\n")
    parts.append("</body>\n</html>\n")
    return _save(to / "index.html", "".join(parts).encode("utf-8", "replace"))


def _save(path: Path, content: bytes) -> Path:
    return write_atomically(path, lambda file: file.write(content))


def _draw_figure(picture: Picture, name: str) -> str:
    # Images that load when scrolled to would be missing from a printed page.
    shown = re.sub(r"""loading=(["']?)lazy\1""", "", picture.html)
    if picture.png:
        address = "data:image/png;base64," + base64.b64encode(picture.png).decode()
        width = f' width="{picture.width}"' if picture.width else ""
        shown = f'<img src="{address}" alt="{escape(picture.caption or name)}"{width}>'
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>\n" if picture.caption else ""
    return f"<figure>\n{caption}{shown}\n</figure>\n"


def _find_title(notebook: nbformat.NotebookNode) -> str:
    """Give the first heading of a notebook, empty where it has none."""
    for cell in notebook.cells:
        heading = (
            re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        )
        if heading:
            return _strip_marks(heading.group(1))
    return ""


def _strip_marks(markdown: str) -> str:
    """Take away the marks of Markdown that a reader of plain text stumbles over."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", markdown)  # images, badges among them
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^#+ +", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<!\n)\n(?=[^\n|\-\d])", " ", text)  # lines wrapped within a paragraph
    return re.sub(r"[*`]", "", text).strip()


def _join(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
