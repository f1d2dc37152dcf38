"""Show charts live in JupyterLab and as a picture wherever a notebook is read later; the one palette."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import vl_convert

from visclust.base.checks import checked
from visclust.base.simulated import is_simulated

# The one palette: gray for what is compared with, pale gray for the mass behind, orange for the subject;
# the others are Okabe and Ito's, which people tell apart who see colours differently.
GRAY, PALE_GRAY, ORANGE = "#757575", "#9e9e9e", "#e6780a"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")

# What stands below the title of every figure whose table rests on something that was made up.
SIMULATED_NOTE = "SIMULATED: rests on what a computer made up, and says nothing about people"

_LIVE = "application/vnd.vegalite.v5+json"
_PIXELS_PER_POINT = 2


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
        legend=alt.Legend(orient=orient),
    )


def title_chart(
    text: str, *tables: Any, subtitle: Sequence[str] = (), note: str = SIMULATED_NOTE
) -> alt.TitleParams:
    """Title a figure, with `note` as the first line below wherever one of its tables is simulated."""
    lines = [note, *subtitle] if is_simulated(*tables) else list(subtitle)
    return alt.TitleParams(text, subtitle=lines, anchor="start")


def _render(spec: dict[str, Any], **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bundle the live chart and its picture, the picture's size given in points and not in its pixels."""
    vl_version = alt.SCHEMA_VERSION.lstrip("v").rpartition(".")[0]
    picture = vl_convert.vegalite_to_png(
        spec, vl_version=vl_version, scale=1, ppi=72 * _PIXELS_PER_POINT, allowed_base_urls=[]
    )
    # Bytes 16 to 24 of a PNG are its width and height.
    width, height = (int.from_bytes(picture[at : at + 4], "big") // _PIXELS_PER_POINT for at in (16, 20))
    bundle = {
        _LIVE: spec,
        "image/png": base64.b64encode(picture).decode(),
        "text/plain": "A chart, shown where the page knows Vega-Lite or PNG.",
    }
    return bundle, {"image/png": {"width": width, "height": height}}
