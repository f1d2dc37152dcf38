import io
import json
import re
import warnings
import zlib
from html.parser import HTMLParser

import altair as alt
import pandas as pd
import pytest
from PIL import Image

import visclust as vc
from visclust.base.figure_files import to_spec

HOSTILE = "</script><script>window.stolen = 1</script><!--<script>"


@pytest.fixture
def chart():
    table = pd.DataFrame({"name": [HOSTILE, "ü", "plain"], "images": [5, 3, 1]})
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(x="images:Q", y="name:N", tooltip=["name:N"])
        .properties(width=620, height=200, title=HOSTILE)
    )


def find_letters(svg, millimetres):
    """The heights of the letters of an SVG in points, when it is printed so wide."""
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg)}
    return {size * millimetres / 25.4 * 72 / width for size in sizes}


def read_pdf(content):
    """The width of a PDF's page in points, and the heights of its letters."""
    width = float(re.search(rb"/MediaBox \[0 0 ([\d.]+)", content)[1])
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    drawn = b""
    for stream in streams:
        try:
            drawn += zlib.decompress(stream)
        except zlib.error:
            continue
    factors = re.findall(rb"([\d.]+) 0 0 \1 [\d.e-]+ [\d.e-]+ cm", drawn)
    factor = min(float(each) for each in factors)
    return width, {float(size) * factor for size in re.findall(rb"/\w+ ([\d.]+) Tf", drawn)}


@pytest.mark.parametrize(("width", "millimetres"), [("column", 88), ("page", 178), (120, 120)])
def test_a_figure_is_as_wide_as_the_journal_s_column_in_every_format(chart, tmp_path, width, millimetres):
    path = vc.save_figure(chart, tmp_path / "a.png", width=width, also=["pdf", "svg"])
    picture = Image.open(path)
    assert picture.width == pytest.approx(millimetres / 25.4 * 300, abs=1)
    assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)
    svg = (tmp_path / "a.svg").read_text()
    assert re.search(rf'<svg width="{millimetres}mm"', svg)
    points, _ = read_pdf((tmp_path / "a.pdf").read_bytes())
    assert points == pytest.approx(millimetres / 25.4 * 72, abs=0.1)


def test_letters_are_about_seven_points_high_in_print_however_wide_the_chart_was(chart, tmp_path):
    wide = alt.hconcat(chart, chart.properties(width=900), chart)
    vc.save_figure(wide, tmp_path / "a.svg", also=["pdf"])
    letters = find_letters((tmp_path / "a.svg").read_text(), 88)
    assert min(letters) == pytest.approx(7, abs=0.2)
    width, printed = read_pdf((tmp_path / "a.pdf").read_bytes())
    assert min(printed) == pytest.approx(7, abs=0.2)
    assert width == pytest.approx(249.45, abs=0.1)


def test_more_dots_where_the_journal_asks_for_them(chart, tmp_path):
    assert Image.open(vc.save_figure(chart, tmp_path / "a.png", dpi=600)).width == pytest.approx(2079, abs=1)


class Scripts(HTMLParser):
    """The scripts of a page, and the elements that a text smuggled in."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "script":
            self.found.append(dict(attrs).get("type"))


def test_no_name_ends_a_script_of_a_page_and_the_page_fetches_nothing(chart, tmp_path):
    page = vc.save_figure(chart, tmp_path / "a.html").read_text()
    assert Scripts(page).found == ["application/json", "module"]
    data = re.search(r'id="visclust-page">(.*?)</script>', page, re.DOTALL)[1]
    assert "<" not in data
    assert json.loads(data) == json.loads(json.dumps(to_spec(chart)))  # and no name was changed
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="(https?:)?//', page)
    assert "default-src 'none'" in page


def test_a_chart_that_altair_saves_itself_has_no_name_that_ends_its_script():
    numbers = dict.fromkeys(
        ["rank", "uses", "share", "uses_elsewhere", "share_elsewhere", "log_odds", "z"], 1
    )
    words = pd.DataFrame({"cluster": [0], "word": HOSTILE, **numbers})
    page = vc.plot_words(words, names={0: HOSTILE}).to_html()
    assert "\\u2039/script>" in page
    assert "stolen" in page
    assert "<script>window.stolen" not in page
    assert words["word"].tolist() == [HOSTILE]


def test_a_figure_says_of_which_files_of_the_study_it_was_made(tmp_path):
    clusters = pd.DataFrame(
        {"image_id": list("abcd"), "cluster": [0, 0, 0, 1], "iteration": 1, "silhouette": 0.1}
    )
    vc.save_table(clusters, tmp_path / "clusters.parquet", "clusters")
    summary = vc.summarize_clusters(vc.read_table(tmp_path / "clusters.parquet", "clusters"))
    path = vc.save_figure(vc.plot_cluster_sizes(summary), tmp_path / "figures" / "07_sizes.png")
    record = vc.read_provenance(path)
    assert record["function"] == "save_figure"
    assert list(record["sources"]) == ["clusters.parquet"]
    state = vc.check_study(tmp_path).set_index("name")
    assert state.loc["figures/07_sizes.png", "status"] == "fresh"
    vc.save_table(clusters.assign(cluster=[0, 0, 1, 1]), tmp_path / "clusters.parquet", "clusters")
    state = vc.check_study(tmp_path).set_index("name")
    assert state.loc["figures/07_sizes.png", ["status", "next"]].tolist() == ["stale", "07_explore_clusters"]


def test_what_cannot_be_read_in_print_is_said(chart, tmp_path):
    rows = pd.DataFrame({"name": [f"name {n}" for n in range(200)], "images": range(200)})
    tall = alt.Chart(rows).mark_bar().encode(x="images:Q", y="name:N").properties(width=300)
    with pytest.warns(UserWarning, match="mm high, and a page holds about 235"):
        vc.save_figure(tall, tmp_path / "a.png")
    many = alt.Chart(rows).mark_bar().encode(y="images:Q", x="name:N")  # so many columns need their room
    with pytest.warns(UserWarning, match="points high in print"):
        vc.save_figure(many, tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vc.save_figure(chart, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "a.jpg"}, "ends in .png, .svg, .pdf, .html, got 'a.jpg'"),
        ({"path": "a"}, "got 'a'"),
        ({"width": "half"}, "got 'half'"),
        ({"width": 5}, "millimetres from 40 to 400, got 5"),
        ({"width": True}, "got True"),
        ({"dpi": 72}, "whole number from 300 to 2400, got 72"),
        ({"also": "pdf"}, "also to be a list"),
        ({"also": ["exe"]}, "got 'a.exe'"),
    ],
)
def test_what_is_no_format_width_or_resolution_is_refused_before_any_file(chart, tmp_path, options, message):
    path = tmp_path / options.pop("path", "a.png")
    with pytest.raises(ValueError, match=re.escape(message)):
        vc.save_figure(chart, path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_no_figure(tmp_path):
    with pytest.raises(TypeError, match="got DataFrame: save tables with save_table"):
        vc.save_figure(pd.DataFrame(), tmp_path / "a.png")


def test_rows_of_thumbnails_are_figures_too(tmp_path):
    for name in "ab":
        Image.new("RGB", (400, 200), "red").save(tmp_path / f"{name}.png")
    images = pd.DataFrame({"image_id": ["a", "b", "c"], "path": ["a.png", "b.png", "gone.png"]})
    images = images.assign(status="ok", reason="", width=400, height=200)
    rows = pd.DataFrame({"image_id": ["a", "b", "c"], "cluster": [0, 0, 1], "simulated": True})
    with pytest.warns(UserWarning, match="not there"):
        shown = vc.show_thumbnail_rows(rows, images, names={0: f"{HOSTILE}\x00"}, images_folder=tmp_path)
    assert "SIMULATED" in shown.html
    path = vc.save_figure(shown, tmp_path / "rows.svg", also=["png", "pdf", "html"])
    svg = path.read_text()
    assert svg.count("<image") == 2
    assert "SIMULATED" in svg
    assert min(find_letters(svg, 88)) == pytest.approx(7, abs=0.1)
    picture = Image.open(io.BytesIO((tmp_path / "rows.png").read_bytes())).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(picture.width * picture.height)}
    assert picture.width == pytest.approx(1039, abs=1)
    assert any(red > 240 and green < 20 for red, green, _ in colours)
    assert read_pdf((tmp_path / "rows.pdf").read_bytes())[0] == pytest.approx(249.45, abs=0.1)
    assert Scripts((tmp_path / "rows.html").read_text()).found == []
    assert vc.read_provenance(path)["simulated"] is True
