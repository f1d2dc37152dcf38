import warnings

import altair as alt
import numpy as np
import pandas as pd
import pytest

import visclust as vc
from visclust.base import figure_letters
from visclust.base.figure_letters import find_missing_letters, list_texts


def draw(name):
    table = pd.DataFrame({"name": [name, "plain"], "images": [5, 3]})
    return alt.Chart(table).mark_bar().encode(x="images:Q", y="name:N").properties(width=300)


def find_by_boxes(monkeypatch, missing):
    """Let the drawing have no font for some letters, whatever this machine has."""
    drawn = figure_letters._draw

    def draw_boxes(letters, family):
        return drawn(tuple("\u0378" if each in missing else each for each in letters), family)

    monkeypatch.setattr(figure_letters, "_draw", draw_boxes)
    figure_letters._find_missing.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    yield
    figure_letters._find_missing.cache_clear()


def test_latin_greek_and_cyrillic_letters_and_signs_are_there():
    assert find_missing_letters(["Zoë, Łódź 100% – “so”", "1 × 2 ≈ 3"]) == []


def test_letters_without_a_font_are_found_once_in_their_order(monkeypatch):
    find_by_boxes(monkeypatch, set("日本"))
    assert find_missing_letters(["a 日本", "本 b"]) == ["日", "本"]


def test_what_is_drawn_for_a_letter_without_a_font_is_what_is_drawn_for_another():
    boxes = figure_letters._draw(("\u0378", "\u0379", "A"), "sans-serif")
    assert np.array_equal(boxes[0], boxes[1])
    assert not np.array_equal(boxes[0], boxes[2])


def test_more_letters_than_one_row_are_each_looked_at(monkeypatch):
    letters = [chr(0x4E00 + place) for place in range(45)]
    find_by_boxes(monkeypatch, set(letters))
    assert find_missing_letters(letters) == letters


def test_texts_of_an_svg_are_read_without_their_marks():
    svg = '<svg><text x="1">a &amp; <tspan>b</tspan></text><title>no</title><text>c</text></svg>'
    assert list(list_texts(svg)) == ["a & b", "c"]


def test_a_picture_with_empty_boxes_warns_once_and_names_the_letters(tmp_path, monkeypatch):
    find_by_boxes(monkeypatch, set("हिन्दी日本語漢字中文版"))
    with pytest.warns(
        UserWarning, match=r"No font .* 3 of the letters in a\.png: 日 本 語 come.*Noto"
    ) as said:
        vc.save_figure(draw("日本語"), tmp_path / "a.png", also=["pdf"])
    assert len([each for each in said if "No font" in str(each.message)]) == 1
    with pytest.warns(UserWarning, match=r"9 of the letters in b\.pdf: .* …"):
        vc.save_figure(draw("日本語漢字中文版ह"), tmp_path / "b.pdf")


def test_svg_and_html_keep_the_letters_and_say_nothing(tmp_path, monkeypatch):
    find_by_boxes(monkeypatch, set("日本語"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = vc.save_figure(draw("日本語"), tmp_path / "a.svg", also=["html"])
    assert "日本語" in path.read_text(encoding="utf-8")
