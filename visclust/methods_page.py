"""A text with tables, as Markdown and as a page: what others wrote into a study is shown and never obeyed."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from visclust.base.files import write_json, write_text
from visclust.base.html import build_pictures_page

# What Markdown, GitHub's and Jupyter's, would take for a mark, a formula or the end of a cell.
_MARKS = re.compile(r"([\\`*\[\]~$|])")
_EDGES = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # within a word an underscore is no mark
_LINK = re.compile(r"(?i)(://|www\.|mailto:|@)")
_LONGEST = 2000  # characters of one text
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
th, td { border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #666; }
p.note { background: #fff3cd; padding: .5rem .8rem; }
h1 { line-height: 1.2; }
"""

Block = tuple[str, Any]


class Page:
    """A title, and blocks below each other: headings, texts, notes that stand out, tables."""

    def __init__(self, title: str) -> None:
        self.title, self.blocks = title, list[Block]()

    def head(self, text: str) -> None:
        """Add a heading."""
        self.blocks.append(("head", text))

    def say(self, text: str, *, lead: str = "") -> None:
        """Add a paragraph, with a few words before it that stand out."""
        self.blocks.append(("text", (lead, text)))

    def warn(self, text: str) -> None:
        """Add a note that nobody should miss."""
        self.blocks.append(("note", text))

    def show(self, table: pd.DataFrame, names: Sequence[str] | None = None) -> None:
        """Add a table; `names` are the heads of its columns."""
        rows = [[str(each) for each in row] for row in table.itertuples(index=False)]
        self.blocks.append(("table", (list(names or map(str, table.columns)), rows)))

    def to_markdown(self) -> str:
        """Write it as Markdown, whatever stands in the texts."""
        lines = [f"# {mark_plain(self.title)}"]
        for kind, what in self.blocks:
            lines.append("")
            if kind == "head":
                lines.append(f"## {mark_plain(what)}")
            elif kind == "note":
                lines.append(f"> **{mark_plain(what)}**")
            elif kind == "text":
                lead, text = what
                lines.append(f"**{mark_plain(lead)}.** {mark_plain(text)}" if lead else mark_plain(text))
            else:
                names, rows = what
                lines.append(_join(map(mark_plain, names)))
                lines.append(_join("---" for _ in names))
                lines += [_join(map(mark_plain, row)) for row in rows]
        return "\n".join(lines) + "\n"

    def to_html(self) -> str:
        """Write it as a page that runs nothing and asks nobody."""
        parts = [f"<h1>{_show(self.title)}</h1>"]
        for kind, what in self.blocks:
            if kind == "head":
                parts.append(f"<h2>{_show(what)}</h2>")
            elif kind == "note":
                parts.append(f'<p class="note"><strong>{_show(what)}</strong></p>')
            elif kind == "text":
                lead, text = what
                parts.append(f"<p>{f'<strong>{_show(lead)}.</strong> ' if lead else ''}{_show(text)}</p>")
            else:
                names, rows = what
                head = "".join(f"<th>{_show(name)}</th>" for name in names)
                cells = ["".join(f"<td>{_show(each)}</td>" for each in row) for row in rows]
                body = "\n".join(f"<tr>{row}</tr>" for row in cells)
                parts.append(f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>")
        return build_pictures_page(title=clean(self.title), style=_STYLE, body="\n".join(parts))

    def write(self, stem: Path, record: dict[str, Any]) -> tuple[Path, Path]:
        """Write both files beside each other, each with the record of the run."""
        markdown = write_text(stem.with_name(f"{stem.name}.md"), self.to_markdown())
        page = write_text(stem.with_name(f"{stem.name}.html"), self.to_html())
        for path in (markdown, page):
            write_json(path.with_name(f"{path.name}.json"), record)
        return markdown, page


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _show(text: str) -> str:
    return escape(clean(text))


def clean(text: str) -> str:
    """Give a text on one line, without signs that nobody sees, and not too long."""
    seen = "".join(
        " " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Cs") else each for each in text
    )
    short = " ".join(seen.split())
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST]}…"


def mark_plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is: no link, no picture, no HTML, no formula."""
    plain = _MARKS.sub(r"\\\1", clean(text))
    plain = _EDGES.sub(r"\\_", plain).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK.sub(lambda found: "".join(f"&#{ord(each)};" for each in found[0]), plain)
