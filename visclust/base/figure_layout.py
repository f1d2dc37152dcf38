"""Lay a chart out anew for a width in print: panels get narrower or go below each other, letters stay.

A chart is made for a screen. Scaled down to a column of a journal its letters could not be read; so the
panels are made narrower instead, until the whole is as wide as letters of 7 points allow.
"""

import copy
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

# Letters of axes are 10 pixels high in Vega-Lite, and are to be 7 points high in print.
POINTS_PER_PIXEL = 0.7
# Below it the legends go from the right to the bottom.
_NARROW = 500
# A panel that gets narrower than this goes below the one before it.
_LEAST = 110
# Panels whose name begins so stay side by side, however narrow, since they share their rows.
TOGETHER = "together"
_LEAST_TOGETHER = 40
_MOST_ROUNDS = 5
_PARTS = ("layer", "hconcat", "vconcat", "concat")
_SIZES = {"title": 13, "subtitle": 12, "axis": 11}


def fit_width(
    spec: dict[str, Any], pixels: float, measure: Callable[[dict[str, Any]], float]
) -> dict[str, Any]:
    """Give the spec of a chart with panels such that it is about so many pixels wide.

    `measure` says how wide a spec is when drawn. The result may miss the width by a hundredth, and by more
    where labels alone are wider.
    """
    widest = max((_count_abreast(each) for each in _walk(spec)), default=1)
    fitted = spec
    for abreast in range(widest, 0, -1):
        fitted, least, factor = _fit(_stack(spec, abreast), pixels, measure)
        wanted = min((width for width in _list_widths(spec)), default=math.inf)
        if abreast == 1 or least >= min(_LEAST, wanted) or factor >= 1:
            break
    return fitted


def _fit(
    spec: dict[str, Any], pixels: float, measure: Callable[[dict[str, Any]], float]
) -> tuple[dict[str, Any], float, float]:
    """Find the factor of the panels' widths, which the width of the whole follows almost in a line."""
    spec = _arrange_legends(spec) if pixels < _NARROW else spec
    widths = list(_list_widths(spec))
    if not widths:
        return _break_texts(spec, pixels), math.inf, 1.0
    factor, tried = 1.0, []
    fitted = spec
    for _ in range(_MOST_ROUNDS):
        fitted = _break_texts(_scale(spec, factor), pixels)
        width = measure(fitted)
        if abs(width - pixels) <= 0.005 * pixels:
            break
        tried.append((factor, width))
        slope = max(widths)
        if len(tried) > 1 and tried[-1][0] != tried[-2][0] and tried[-1][1] != tried[-2][1]:
            slope = (tried[-1][1] - tried[-2][1]) / (tried[-1][0] - tried[-2][0])
        smallest = _LEAST_TOGETHER / max(widths)
        following = max(smallest, factor + (pixels - width) / slope if slope > 0 else pixels / width)
        if following == factor:
            break
        factor = following
    return fitted, factor * min(widths), factor


def _walk(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Go through a spec and all that it is put together from, the outer ones first."""
    yield spec
    for name in _PARTS:
        for part in spec.get(name, []):
            yield from _walk(part)
    if isinstance(spec.get("spec"), dict):
        yield from _walk(spec["spec"])


def _views(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Go through the panels: charts of one mark, and layers as a whole."""
    if "layer" in spec or "mark" in spec:
        yield spec
        return
    for name in _PARTS[1:]:
        for part in spec.get(name, []):
            yield from _views(part)
    if isinstance(spec.get("spec"), dict):
        yield from _views(spec["spec"])


def _list_widths(spec: dict[str, Any]) -> Iterator[float]:
    for view in _views(spec):
        if _is_number(view.get("width")) and not _is_still(view):
            yield view["width"]


def _is_still(view: dict[str, Any]) -> bool:
    """Tell a small picture beside other things, which keeps its size."""
    return str(view.get("name", "")).startswith("still")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count_abreast(spec: dict[str, Any]) -> int:
    if str(spec.get("name", "")).startswith(TOGETHER):
        return 1
    if "hconcat" in spec:
        return len(spec["hconcat"])
    if "concat" in spec or "facet" in spec:
        return int(spec.get("columns") or len(spec.get("concat", [1, 1, 1])))
    return 1


def _stack(spec: dict[str, Any], abreast: int) -> dict[str, Any]:
    """Put at most so many panels beside each other."""
    spec = copy.copy(spec)
    for name in _PARTS:
        if name in spec:
            spec[name] = [_stack(part, abreast) for part in spec[name]]
    if isinstance(spec.get("spec"), dict):
        spec["spec"] = _stack(spec["spec"], abreast)
    if str(spec.get("name", "")).startswith(TOGETHER) or _count_abreast(spec) <= abreast:
        return spec
    if "hconcat" in spec:
        spec["concat"] = spec.pop("hconcat")
    spec["columns"] = abreast
    return spec


def _scale(spec: dict[str, Any], factor: float) -> dict[str, Any]:
    """Make every panel wider or narrower by a factor, and as high as its shape and its letters ask for."""
    spec = copy.copy(spec)
    for name in _PARTS:
        if name in spec and not (name == "layer" and _is_still(spec)):
            spec[name] = [_scale(part, factor) for part in spec[name]]
    if isinstance(spec.get("spec"), dict):
        spec["spec"] = _scale(spec["spec"], factor)
    if _is_number(spec.get("width")) and not _is_still(spec):
        before, after = spec["width"], spec["width"] * factor
        height = 0.0
        if _is_number(spec.get("height")):
            height = spec["height"]
            # As flat as before, unless that would leave less than three quarters of the width.
            flat = height * factor
            spec["height"] = round(min(1.25 * height, max(flat, min(height, 0.75 * after))), 1)
            if abs(before - height) < 1:  # a square stays one
                spec["height"] = round(after, 1)
        spec["width"] = round(after, 1)
        _move_values(spec, before, after, height, spec["height"] if height else 0.0)
    return spec


def _move_values(spec: dict[str, Any], *sizes: float) -> None:
    """Keep what stands near the right end or the bottom there, and pictures in proportion."""
    pairs = {"x": sizes[:2], "x2": sizes[:2], "y": sizes[2:], "y2": sizes[2:]}
    for part in [spec, *spec.get("layer", [])]:
        encoding = dict(part.get("encoding") or {})
        for channel, (before, after) in pairs.items():
            value: Any = (encoding.get(channel) or {}).get("value")
            if _is_number(value) and value > before / 2:
                encoding[channel] = {**encoding[channel], "value": value + after - before}
        if encoding:
            part["encoding"] = encoding
        mark = part.get("mark")
        if isinstance(mark, dict) and mark.get("type") == "image" and _is_number(mark.get("width")):
            factor = sizes[1] / sizes[0]
            part["mark"] = {**mark, "width": mark["width"] * factor, "height": mark["height"] * factor}


def _arrange_legends(spec: dict[str, Any]) -> dict[str, Any]:
    """Put legends below the panels, unless they say where they stand."""
    config = dict(spec.get("config") or {})
    legend = {"orient": "bottom", "columns": 2, "labelLimit": 150, **(config.get("legend") or {})}
    return {**spec, "config": {**config, "legend": legend}}


def _break_texts(spec: dict[str, Any], pixels: float) -> dict[str, Any]:
    """Break titles into lines that are as wide as what they stand over or beside."""
    spec = _break_panels(spec, pixels)
    if "title" in spec:
        spec = {**spec, "title": _break_title(spec["title"], pixels - 12)}
    return spec


def _break_panels(spec: dict[str, Any], pixels: float) -> dict[str, Any]:
    spec = copy.copy(spec)
    for name in _PARTS:
        if name in spec:
            spec[name] = [_break_panels(part, pixels) for part in spec[name]]
    if isinstance(spec.get("spec"), dict):
        spec["spec"] = _break_panels(spec["spec"], pixels)
    if "layer" in spec or "mark" in spec:
        width = spec["width"] if _is_number(spec.get("width")) else pixels
        height = spec["height"] if _is_number(spec.get("height")) else 200
        spec = _break_axes(spec, width, height)
        if "title" in spec:
            spec["title"] = _break_title(spec["title"], width + 24)
    return spec


def _break_axes(spec: dict[str, Any], width: float, height: float) -> dict[str, Any]:
    spec = copy.copy(spec)
    if "layer" in spec:
        spec["layer"] = [_break_axes(part, width, height) for part in spec["layer"]]
    encoding = spec.get("encoding") or {}
    for channel, room in (("x", width + 20), ("y", height + 10)):
        told = encoding.get(channel)
        if isinstance(told, dict) and isinstance(told.get("title"), str):
            encoding = {**encoding, channel: {**told, "title": _break(told["title"], room, _SIZES["axis"])}}
        axis = told.get("axis") if isinstance(told, dict) else None
        if isinstance(axis, dict) and isinstance(axis.get("title"), str):
            axis = {**axis, "title": _break(axis["title"], room, _SIZES["axis"])}
            encoding = {**encoding, channel: {**encoding[channel], "axis": axis}}
    if encoding:
        spec["encoding"] = encoding
    return spec


def _break_title(title: Any, room: float) -> Any:
    if isinstance(title, str):
        return _break(title, room, _SIZES["title"])
    if not isinstance(title, dict):
        return title
    broken = {key: value for key, value in title.items() if key != "limit"}
    for name, kind in (("text", "title"), ("subtitle", "subtitle")):
        if name in broken:
            size = broken.get("fontSize" if name == "text" else "subtitleFontSize", _SIZES[kind])
            lines = [broken[name]] if isinstance(broken[name], str) else list(broken[name])
            parts = [_break(str(line), room, size) for line in lines]
            flat = [each for part in parts for each in ([part] if isinstance(part, str) else part)]
            broken[name] = flat[0] if len(flat) == 1 and isinstance(title[name], str) else flat
    return broken


def _break(text: str, room: float, size: float) -> str | list[str]:
    """Break a text at its spaces into lines of so many pixels, by the mean width of letters."""
    # Bold titles are wider than what stands below them.
    most = max(12, int(room / ((0.54 if size != _SIZES["subtitle"] else 0.48) * size)))
    if len(text) <= most:
        return text
    lines = [""]
    for word in re.split(r" +", text):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) > 1 else lines[0]
