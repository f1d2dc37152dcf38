"""Show charts live in JupyterLab and as a picture wherever a notebook is read later; the one palette."""

import base64
import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from visclust.base.checks import checked, settle_call
from visclust.base.simulated import is_simulated

P = ParamSpec("P")
R = TypeVar("R")

# The one palette: gray for what is compared with, pale gray for the mass behind, orange for the subject;
# the others are Okabe and Ito's, which people tell apart who see colours differently.
GRAY, PALE_GRAY, ORANGE = "#757575", "#9e9e9e", "#e6780a"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# Groups differ in shape besides, for who sees no colours and for print in black.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")

# What stands below the title of every figure whose table rests on something that was made up.
SIMULATED_NOTE = "SIMULATED: rests on what a computer made up, and says nothing about people"

# The version of Vega-Lite that Altair writes for, as vl-convert names it.
VEGA_LITE = alt.SCHEMA_VERSION.lstrip("v").rpartition(".")[0]

_LIVE = "application/vnd.vegalite.v5+json"
_PIXELS_PER_POINT = 2
# What is legible below each other in a column of a journal, in pixels: legends break into rows at it.
_COLUMN = 330
# What could end the script of a page that a chart is saved to by Altair itself, which puts texts into it as
# they are: see `drawn`.
_SCRIPT_END = re.compile(r"<(?=/?script|!--)", re.IGNORECASE)
_PARTS_OF_DECADE = (1, 2, 5)


@checked
def show_charts(*, max_rows: int = 50_000) -> None:
    """Let every Altair chart that a cell ends with show live, with a PNG beside it; call once per notebook.

    The PNG is what a headless run saves, what GitHub shows, and what a reopened notebook shows before it is
    trusted. Nothing is fetched from a network.

    Parameters
    ----------
    max_rows : int, default 50,000
        Rows at most in one chart; above it Altair raises MaxRowsError, since a browser slows down: bin or
        sample the rows first.

    Raises
    ------
    ValueError
        If `max_rows` is not positive.

    Examples
    --------
    >>> show_charts()
    >>> alt.renderers.active
    'visclust'
    """
    if max_rows < 1:
        raise ValueError(f"Expected max_rows of 1 or more, got {max_rows!r}.")
    alt.renderers.register("visclust", _render)
    alt.renderers.enable("visclust")
    alt.data_transformers.enable("default", max_rows=max_rows)


def drawn(plot: Callable[P, R]) -> Callable[P, R]:
    """Let a plot check its arguments, as `checked` does, and draw texts so that none can end a script.

    `save_figure` writes pages in which nothing can. But Altair's own `save` and `to_html` put a chart's texts
    into a script as they are, so that ``</script>`` in a name would end it: in the tables and names that a
    plot is given, a "<" before such a word becomes "‹". All other texts stay as they are, and so do the
    arguments.
    """

    @functools.wraps(plot)
    def draw(*args: P.args, **kwargs: P.kwargs) -> R:
        args, kwargs = settle_call(plot, args, kwargs)
        return plot(*map(_disarm, args), **{name: _disarm(each) for name, each in kwargs.items()})  # type: ignore[arg-type]

    draw.checks_arguments = True  # type: ignore[attr-defined]
    return draw


def _disarm(value: Any) -> Any:
    if isinstance(value, str):
        return _SCRIPT_END.sub("‹", value) if "<" in value else value
    if isinstance(value, pd.DataFrame):
        return _disarm_table(value)
    if isinstance(value, Mapping):
        return {_disarm(key): _disarm(each) for key, each in value.items()}
    return [_disarm(each) for each in value] if isinstance(value, list | tuple) else value


def _disarm_table(table: pd.DataFrame) -> pd.DataFrame:
    changed: dict[Any, pd.Series] = {}
    for name, dtype in table.dtypes.items():
        if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype):
            continue
        texts = table[name].astype(object)
        if any(isinstance(each, str) and "<" in each and _SCRIPT_END.search(each) for each in texts):
            changed[name] = texts.map(_disarm)
    return table.assign(**changed) if changed else table


def colour_by(
    field: str,
    colours: Mapping[str, str],
    *,
    title: str | None = None,
    orient: Literal["bottom", "top"] = "bottom",
) -> alt.Color:
    """Colour marks by a field of words: each word with its colour, in the order of the legend."""
    return alt.Color(
        f"{field}:N",
        title=title,
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(orient=orient, **arrange_legend(colours)),
    )


def arrange_legend(words: Iterable[Any]) -> dict[str, Any]:
    """Give the columns of a legend above or below, so that its words fit in a column of a journal."""
    lengths = [min(260, 6 * len(str(word))) + 24 for word in words]
    if not lengths or sum(lengths) <= _COLUMN:
        return {}
    return {"columns": max(1, int(_COLUMN // max(lengths))), "labelLimit": 300}


def choose_colours(values: Iterable[Any]) -> dict[str, str]:
    """Choose a colour of the palette for each word, in their order; after the last it begins again."""
    words = list(dict.fromkeys(map(str, values)))
    return {word: COLOURS[place % len(COLOURS)] for place, word in enumerate(words)}


def name_cluster(cluster: Any, name: Any = None) -> str:
    """Name a cluster as every figure, table and page does: by its number, and its name where it has one."""
    given = "" if name is None or name is pd.NA or name != name else str(name).strip()
    return f"Cluster {cluster}: {given}" if given else f"Cluster {cluster}"


def label_long(*, wide: int = 30, limit: int = 190) -> dict[str, Any]:
    """Give the options of an axis of words: long ones in two lines, and cut where they are longer still."""
    # "$1" of a regular expression: as many whole words as fit, or a piece of one that does not.
    split = f"split(replace(datum.label, /^(.{{1,{wide}}})( |$)/, '$1\\n'), '\\n')"
    return {"labelExpr": f"length(datum.label) > {wide} ? {split} : datum.label", "labelLimit": limit}


def scale_log(values: Iterable[float], **options: Any) -> tuple[alt.Scale, alt.Axis]:
    """Make a log scale that starts and ends at its data, and its axis with ticks at 1, 2, 5, 10."""
    known = np.asarray([float(each) for each in values if each and each == each and each > 0] or [1.0, 10.0])
    low, high = float(known.min()), float(known.max())
    if low == high:
        low, high = low / 2, high * 2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [part * 10.0**decade for decade in decades for part in _PARTS_OF_DECADE]
    if len(decades) > 4:  # fewer where they would touch
        ticks = [10.0**decade for decade in decades]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) < 2:
        ticks = sorted({low, *ticks, high})
    scale = alt.Scale(type="log", domain=[low, high], nice=False, padding=6)
    return scale, alt.Axis(values=ticks, **{"format": "~s" if high >= 10_000 else ",~g", **options})


def rank_clusters(
    clusters: Sequence[int], *, title: str | None = None, field: str = "rank", **options: Any
) -> alt.X:
    """Make an axis of clusters in an order of their own, where each place bears the cluster's own number.

    `clusters` are their numbers in that order; `field` counts the places from 1.
    """
    numbers = json.dumps([int(cluster) for cluster in clusters])
    axis = alt.Axis(
        values=list(range(1, len(clusters) + 1)),
        labelExpr=f"{numbers}[datum.value - 1]",
        labelOverlap="greedy",
        labelAngle=-90 if len(clusters) > 12 else 0,
        labelSeparation=1,
        tickSize=3,
        grid=False,
        **options,
    )
    # Half a place of room at both ends.
    scale = alt.Scale(domain=[0.5, len(clusters) + 0.5], nice=False, zero=False, padding=0)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=axis)


def describe_intervals(*tables: pd.DataFrame) -> str:
    """Say what intervals a figure shows: "95% intervals", where a table or its record says the level."""
    for table in tables:
        if "confidence" in table.columns and len(table):
            return f"{100 * float(table['confidence'].iloc[0]):.3g}% intervals"
        parameters = (table.attrs.get("provenance") or {}).get("parameters") or {}
        for name in ("level", "confidence"):
            if isinstance(parameters.get(name), float) and 0 < parameters[name] < 1:
                return f"{100 * parameters[name]:.3g}% intervals"
    return "intervals"


def title_chart(
    text: str, *tables: Any, subtitle: Sequence[str] = (), note: str = SIMULATED_NOTE
) -> alt.TitleParams:
    """Title a figure, with `note` as the first line below wherever one of its tables is simulated."""
    lines = [note, *subtitle] if is_simulated(*tables) else list(subtitle)
    return alt.TitleParams(text, subtitle=lines, anchor="start")


def _render(spec: dict[str, Any], **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bundle the live chart and its picture, the picture's size given in points and not in its pixels."""
    picture = vl_convert.vegalite_to_png(
        spec, vl_version=VEGA_LITE, scale=1, ppi=72 * _PIXELS_PER_POINT, allowed_base_urls=[]
    )
    # Bytes 16 to 24 of a PNG are its width and height.
    width, height = (int.from_bytes(picture[at : at + 4], "big") // _PIXELS_PER_POINT for at in (16, 20))
    bundle = {
        _LIVE: spec,
        "image/png": base64.b64encode(picture).decode(),
        "text/plain": "A chart, shown where the page knows Vega-Lite or PNG.",
    }
    return bundle, {"image/png": {"width": width, "height": height}}
