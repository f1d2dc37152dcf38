"""Save figures for a paper: PNG, SVG and PDF at a journal's width, and HTML that needs no network."""

import functools
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import altair as alt
import pandas as pd
import vl_convert

from visclust.base.charts import VEGA_LITE
from visclust.base.checks import checked
from visclust.base.figure_layout import POINTS_PER_PIXEL, fit_width
from visclust.base.figure_letters import find_missing_letters, list_texts
from visclust.base.files import write_atomically, write_json, write_text
from visclust.base.html import build_data_page, build_pictures_page
from visclust.base.origins import list_sources
from visclust.base.provenance import add_inputs, describe_run
from visclust.base.simulated import is_simulated

# Millimetres. Journals differ by a few: Nature has 89 and 183, PNAS 87 and 178, Science 90 and 184.
WIDTHS = {"column": 88.0, "page": 178.0}
ENDINGS = (".png", ".svg", ".pdf", ".html")
_HIGHEST = 235.0  # millimetres; a page of a journal holds no more beside a caption
_READABLE = 6.0  # points; smaller letters are said to be too small
_LEAST_DPI = 300
_POINTS_PER_MM = 72 / 25.4
# Liberation Sans, which the letters were measured with, is as wide as Arial and Helvetica.
_FONTS = "Liberation Sans, Arial, Helvetica, sans-serif"

_STYLE = """\
body { font: 14px/1.4 sans-serif; margin: 1.5rem; color: #222; }
#tip { position: fixed; display: none; max-width: 24rem; padding: 6px 9px; border: 1px solid #bbb;
  background: #fff; box-shadow: 0 1px 4px #0003; font-size: 12px; pointer-events: none;
  overflow-wrap: anywhere; }
#tip img { display: block; max-width: 160px; max-height: 160px; margin-bottom: 4px; }
"""
_BODY = '<div id="figure"></div>\n<div id="tip"></div>'

# Texts reach the tooltip as texts, and pictures only where they are inside the page.
_SCRIPT = """
const tip = document.getElementById("tip");
function show(handler, event, item, value) {
  tip.replaceChildren();
  if (value === null || value === undefined || value === "") { tip.style.display = "none"; return; }
  const rows = typeof value === "object" ? Object.entries(value) : [["", value]];
  for (const [name, said] of rows) {
    const line = document.createElement("div");
    if (name === "image" && String(said).startsWith("data:image/")) {
      const picture = document.createElement("img");
      picture.src = said;
      line.append(picture);
    } else { line.textContent = name ? `${name}: ${said}` : String(said); }
    tip.append(line);
  }
  tip.style.display = "block";
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8))}px`;
}
const spec = JSON.parse(document.getElementById("visclust-page").textContent);
const options = { ast: true, renderer: "canvas", actions: false, defaultStyle: false, tooltip: show };
function tell(error) {
  document.getElementById("figure").textContent = `The figure cannot be drawn: ${error.message}`;
}
window.vegaEmbed("#figure", spec, options).then(() => { document.body.dataset.drawn = "yes"; }, tell);
"""


@checked
def save_figure(
    chart: Any,
    path: str | os.PathLike,
    *,
    width: Literal["column", "page"] | float = "column",
    also: Sequence[str] = (),
    dpi: int = 300,
    made_from: Sequence[Any] = (),
) -> Path:
    """Save a chart, or rows of thumbnails, as a file for a paper or a page.

    In PNG, SVG and PDF the figure is as wide as a journal prints it, with letters of 7 points: panels are
    made narrower for that, or go below each other, instead of letters getting smaller. HTML stays as on the
    screen, with what shows when a mark is pointed at; it holds all that it needs, fetches nothing, and no
    text in the chart, such as a name given by somebody, can run as a script.

    Parameters
    ----------
    chart : altair.Chart or ThumbnailRows
        What a ``plot_…`` function or `show_thumbnail_rows` returns, or a chart of your own.
    path : str or path
        Where to. Its ending says the format: ``.png``, ``.svg``, ``.pdf`` or ``.html``.
    width : {"column", "page"} or float, millimetres, default "column"
        One column (88 mm), a page (178 mm), or what the journal asks for, 40 to 400. HTML has none.
    also : sequence of str
        Further endings, such as ``["pdf", "svg"]``: the same figure in other files beside this one.
    dpi : int, dots per inch, default 300
        Of PNG, and of thumbnails inside SVG and PDF; 300 at least. Journals ask for 600 where lines are thin.
    made_from : sequence of DataFrame or result, optional
        What the figure was made from, where the chart does not hold it: a table that a function of visclust
        made brings its record along in the chart.

    Returns
    -------
    pathlib.Path
        The file, written in one step. Its record lies beside it, as ``<path>.json``.

    Raises
    ------
    TypeError
        If it is no chart.
    ValueError
        If the ending, the width or the resolution is none of these.

    Warns
    -----
    UserWarning
        If letters are smaller than 6 points in print, or the figure is higher than a page; in PNG and PDF if
        no font of this machine has some of the letters, which are named.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"cluster": [0, 1], "images": [4, 2]})
    >>> chart = alt.Chart(table).mark_bar().encode(x="images:Q", y="cluster:O").properties(width=500)
    >>> path = save_figure(chart, Path(tempfile.mkdtemp()) / "sizes.svg", width="column")
    >>> 'width="88mm"' in path.read_text()
    True
    """
    path = Path(path)
    paths = [path, *(path.with_suffix(f".{ending.lstrip('.').lower()}") for ending in _check_also(also))]
    for each in paths:
        if each.suffix.lower() not in ENDINGS:
            raise ValueError(
                f"Expected path as a name that ends in {', '.join(ENDINGS)}, got {each.name!r}: name "
                "the format."
            )
    millimetres = _check_width(width)
    if isinstance(dpi, bool) or not isinstance(dpi, int) or not _LEAST_DPI <= dpi <= 2400:
        raise ValueError(f"Expected dpi as a whole number from {_LEAST_DPI} to 2400, got {dpi!r}.")
    is_chart = isinstance(chart, alt.TopLevelMixin)
    if not is_chart and not hasattr(chart, "draw_svg"):
        raise TypeError(
            "Expected a chart of Altair or what show_thumbnail_rows gives, got "
            f"{type(chart).__name__}: save tables with save_table."
        )
    tables = list(_list_tables(chart)) if is_chart else list(chart.tables)
    asked = {"path": path.name, "also": list(also), "made_from": len(made_from), "width": width, "dpi": dpi}
    record = describe_run("save_figure", parameters={"chart": _name(chart), **asked})
    record |= {"origins": {}, "direct": []}
    record = add_inputs(record, **{f"table.{n}": each for n, each in enumerate([*tables, *made_from])
                                   if isinstance(each, pd.DataFrame)})  # fmt: skip
    record["simulated"] = is_simulated(*tables, *made_from)
    svg, warned = "", False
    for each in paths:
        ending = each.suffix.lower()
        if ending != ".html" and not svg:
            svg = _draw_svg(chart, millimetres) if is_chart else chart.draw_svg(millimetres, dpi=dpi)
            _warn_of_print(svg, millimetres, each.name)
        if ending in (".png", ".pdf") and not warned:
            _warn_of_letters(svg, each.name)
            warned = True
        _write_record(each, record)
        _write(each, chart, svg, millimetres, dpi)
    return path


def _check_also(also: Sequence[str]) -> Sequence[str]:
    if isinstance(also, str) or not all(isinstance(each, str) for each in also):
        raise ValueError(f'Expected also as a list of endings, such as ["pdf"], got {also!r}.')
    return also


def _check_width(width: Any) -> float:
    if isinstance(width, str) and width in WIDTHS:
        return WIDTHS[width]
    if isinstance(width, int | float) and not isinstance(width, bool) and 40 <= width <= 400:
        return float(width)
    raise ValueError(f'Expected width as "column", "page" or millimetres from 40 to 400, got {width!r}.')


def _name(chart: Any) -> str:
    return f"{type(chart).__module__.partition('.')[0]}.{type(chart).__name__}"


def _list_tables(chart: Any) -> Iterator[pd.DataFrame]:
    """Go through the tables that a chart and its parts were made of, each once."""
    seen: set[int] = set()

    def walk(part: Any) -> Iterator[pd.DataFrame]:
        data = getattr(part, "data", alt.Undefined)
        if isinstance(data, pd.DataFrame) and id(data) not in seen:
            seen.add(id(data))
            yield data
        for name in ("layer", "hconcat", "vconcat", "concat"):
            inner = getattr(part, name, alt.Undefined)
            for each in inner if isinstance(inner, list) else ():
                yield from walk(each)
        if getattr(part, "spec", alt.Undefined) is not alt.Undefined:
            yield from walk(part.spec)

    yield from walk(chart)


def to_spec(chart: Any) -> dict[str, Any]:
    """Give the spec of a chart with all its rows, however many: a file has no limit as a notebook has."""
    with alt.data_transformers.enable("default", max_rows=None):
        return chart.to_dict()


def _measure(spec: dict[str, Any]) -> float:
    return _read_size(_to_svg(spec))[0]


def _to_svg(spec: dict[str, Any]) -> str:
    return vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, allowed_base_urls=[])


def _read_size(svg: str) -> tuple[float, float]:
    found = re.search(r'<svg[^>]* viewBox="[\d.e-]+ [\d.e-]+ ([\d.e]+) ([\d.e]+)"', svg)
    return (float(found[1]), float(found[2])) if found else (math.nan, math.nan)


def _draw_svg(chart: Any, millimetres: float) -> str:
    """Draw a chart so wide, its own units being pixels of 0.7 points where all fits."""
    points = millimetres * _POINTS_PER_MM
    return _to_svg(fit_width(to_spec(chart), points / POINTS_PER_PIXEL, _measure))


def _warn_of_print(svg: str, millimetres: float, name: str) -> None:
    """Warn of what a reader of the printed figure could not read or a page not hold."""
    width, height = _read_size(svg)
    sizes = [float(each) for each in re.findall(r'<text[^>]*font-size="([\d.]+)px"', svg)]
    smallest = min(sizes, default=math.inf) * millimetres * _POINTS_PER_MM / width
    if smallest < _READABLE - 0.05:
        warnings.warn(
            f"The smallest letters of {name} are {smallest:.1f} points high in print, and below "
            f'{_READABLE:g} few can read them: save it wider (width="page"), or draw fewer rows or columns.',
            stacklevel=3,
        )
    if (high := millimetres * height / width) > _HIGHEST:
        warnings.warn(
            f"{name} is {high:.0f} mm high, and a page holds about {_HIGHEST:.0f}: draw a part of the table, "
            "or save it wider.",
            stacklevel=3,
        )


def _warn_of_letters(svg: str, name: str) -> None:
    """Warn of letters that come out as empty boxes, since no font here has them."""
    missing = find_missing_letters(list_texts(svg))
    if missing:
        shown = " ".join(missing[:8]) + (" …" if len(missing) > 8 else "")
        warnings.warn(
            f"No font of this machine has {len(missing)} of the letters in {name}: {shown} come out as empty "
            "boxes. Install a font that has them, such as Noto Sans CJK or Noto Sans Devanagari, start "
            "Python anew and save it again; or save it as .svg or .html and open it where such a font is.",
            stacklevel=3,
        )


def _set_width(svg: str, wide: float, *, unit: str = "") -> str:
    """Write the width in print, and the height that follows, into the first element of an SVG."""
    width, height = _read_size(svg)
    end = svg.index(">") + 1
    head = re.sub(r' (width|height)="[^"]*"', "", svg[:end])
    size = f'<svg width="{wide:.6g}{unit}" height="{wide * height / width:.6g}{unit}"'
    return head.replace("<svg", size, 1) + svg[end:]


def _write(path: Path, chart: Any, svg: str, millimetres: float, dpi: int) -> None:
    ending = path.suffix.lower()
    points = millimetres * _POINTS_PER_MM
    if ending == ".html":
        write_text(path, _build_page(chart, path.stem))
    elif ending == ".svg":
        # Who opens it elsewhere shall see letters as wide as those it was laid out with.
        write_text(path, _set_width(svg, millimetres, unit="mm").replace('"sans-serif"', f'"{_FONTS}"'))
    elif ending == ".pdf":
        content = vl_convert.svg_to_pdf(_set_width(svg, points))
        write_atomically(path, lambda file: file.write(content))
    else:
        content = vl_convert.svg_to_png(_set_width(svg, points), ppi=dpi)
        write_atomically(path, lambda file: file.write(content))


def _build_page(chart: Any, title: str) -> str:
    """Build a page under the strictest policy: only this script runs, and nothing is fetched."""
    if not isinstance(chart, alt.TopLevelMixin):
        return build_pictures_page(title=title, style="body { margin: 1.5rem; }", body=chart.html)
    script = f"{_load_vega()}\n{_SCRIPT}"
    return build_data_page(title=title, style=_STYLE, body=_BODY, data=to_spec(chart), script=script)


@functools.cache
def _load_vega() -> str:
    return vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record beside a figure, with the files of the study that its tables go back to."""
    whole = {**record, "sources": list_sources(path, record["origins"])}
    write_json(path.with_name(f"{path.name}.json"), whole)
