import base64
import re

import nbformat
import pandas as pd
import pytest

from visclust.notebook_run import find_pictures, list_notebooks, main, run_notebooks, write_index

# The smallest PNG: one transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def save_notebook(folder, name, *cells):
    """Save a notebook from (kind, source) pairs."""
    make = {"code": nbformat.v4.new_code_cell, "text": nbformat.v4.new_markdown_cell}
    folder.mkdir(exist_ok=True, parents=True)
    notebook = nbformat.v4.new_notebook(cells=[make[kind](source) for kind, source in cells])
    nbformat.write(notebook, folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A series run once: the first notebook writes, the second reads and draws, the third fails."""
    folder = tmp_path_factory.mktemp("series")
    save_notebook(
        folder / "notebooks",
        "00_write",
        (
            "code",
            "import visclust.launch\n(visclust.launch.results_folder() / 'note.txt').write_text('kept')",
        ),
    )
    save_notebook(
        folder / "notebooks",
        "01_draw",
        ("text", "# Rows & columns"),
        (
            "code",
            "import altair as alt, pandas as pd\nfrom visclust.base.charts import show_charts\nshow_charts()",
        ),
        (
            "code",
            "import visclust.launch\nprint((visclust.launch.results_folder() / 'note.txt').read_text())",
        ),
        ("text", "The **line** goes up, `b` < 5"),
        ("code", "alt.Chart(pd.DataFrame({'a': [1, 2], 'b': [3, 4]})).mark_line().encode(x='a:Q', y='b:Q')"),
    )
    save_notebook(
        folder / "notebooks", "02_fail", ("code", "1 + 1"), ("code", "wrong = 1 / 0"), ("code", "2")
    )
    save_notebook(folder / "notebooks", "03_after", ("code", "1"))
    runs = run_notebooks(folder / "notebooks", to=folder / "results")
    return folder, runs


@pytest.mark.slow
def test_a_later_notebook_reads_what_an_earlier_one_wrote(series):
    folder, runs = series
    assert runs.status.tolist()[:2] == ["ok", "ok"]
    executed = nbformat.read(folder / "results" / "notebooks" / "01_draw.ipynb", as_version=4)
    assert executed.cells[2].outputs[0].text == "kept\n"


@pytest.mark.slow
def test_a_failed_notebook_stops_the_run_and_names_its_cell(series):
    _, runs = series
    assert runs.status.tolist() == ["ok", "ok", "failed", "not run"]
    assert runs.error[2].startswith("Cell 2:\nwrong = 1 / 0\n")
    assert "ZeroDivisionError: division by zero" in runs.error[2]
    assert "\x1b" not in runs.error[2]
    assert runs.error.tolist()[:2] == ["", ""]


@pytest.mark.slow
def test_a_failed_notebook_is_saved_as_far_as_it_came(series):
    folder, _ = series
    executed = nbformat.read(folder / "results" / "notebooks" / "02_fail.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].data["text/plain"] == "2"
    assert not (folder / "results" / "notebooks" / "03_after.ipynb").exists()


@pytest.mark.slow
def test_the_notebooks_themselves_are_left_as_they_were(series):
    folder, _ = series
    original = nbformat.read(folder / "notebooks" / "01_draw.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in original.cells)


@pytest.mark.slow
def test_a_chart_is_saved_live_and_as_a_picture_in_a_valid_notebook(series):
    folder, _ = series
    executed = nbformat.read(folder / "results" / "notebooks" / "01_draw.ipynb", as_version=4)
    nbformat.validate(executed)
    data = executed.cells[4].outputs[0].data
    assert {"image/png", "application/vnd.vegalite.v5+json"} <= set(data)
    picture = base64.b64decode(data["image/png"])
    width = int.from_bytes(picture[16:20], "big")
    # Twice the pixels of the size it is shown at; an odd pixel is lost to whole numbers.
    assert abs(width - 2 * executed.cells[4].outputs[0].metadata["image/png"]["width"]) <= 1


@pytest.mark.slow
def test_the_page_shows_the_picture_with_its_title_and_escaped_caption(series):
    folder, _ = series
    page = write_index([folder / "results" / "notebooks" / "01_draw.ipynb"], to=folder / "page").read_text()
    assert "<h2>Rows &amp; columns</h2>" in page
    assert "<figcaption>The line goes up, b &lt; 5</figcaption>" in page
    assert page.count("data:image/png;base64,") == 1
    assert (folder / "page" / "pictures" / "01_draw-1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_one_kernel_runs_all_and_no_notebook_sees_what_an_earlier_one_left(tmp_path):
    save_notebook(
        tmp_path / "notebooks",
        "00_leave",
        ("code", "import os, pandas as pd\nleft = 1\npd.set_option('display.max_rows', 3)\nos.getpid()"),
    )
    save_notebook(
        tmp_path / "notebooks",
        "01_look",
        ("code", "'left' in globals(), 'pd' in globals()"),
        ("code", "import os, pandas\npandas.get_option('display.max_rows'), os.getpid()"),
    )
    runs = run_notebooks(tmp_path / "notebooks", to=tmp_path)
    assert runs.status.tolist() == ["ok", "ok"], "\n".join(runs.error)
    first, second = (
        nbformat.read(tmp_path / "notebooks" / f"{name}.ipynb", as_version=4) for name in runs.notebook
    )
    assert second.cells[0].outputs[0].data["text/plain"] == "(False, False)"
    assert second.cells[0].execution_count == 1
    kernel = first.cells[0].outputs[0].data["text/plain"]
    assert second.cells[1].outputs[0].data["text/plain"] == f"(60, {kernel})"


def make_cell(data):
    return nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", data)])


def test_rows_of_thumbnails_are_shown_and_tables_are_not():
    cells = [make_cell({"text/html": "<table></table>"}), make_cell({"text/html": '<img src="data:,">'})]
    pictures = list(find_pictures(nbformat.v4.new_notebook(cells=cells)))
    assert [picture.html for picture in pictures] == ['<img src="data:,">']


def test_a_caption_goes_to_the_first_picture_after_it():
    text = nbformat.v4.new_markdown_cell("One [link](https://example.org)")
    notebook = nbformat.v4.new_notebook(
        cells=[text, make_cell({"image/png": PIXEL}), make_cell({"image/png": PIXEL})]
    )
    assert [picture.caption for picture in find_pictures(notebook)] == ["One link", ""]


def test_a_caption_is_one_line_per_paragraph_and_list_entry():
    text = nbformat.v4.new_markdown_cell("## Rows\n\nRead along\na row:\n\n- one\n- two")
    (picture,) = find_pictures(nbformat.v4.new_notebook(cells=[text, make_cell({"image/png": PIXEL})]))
    assert picture.caption == "Rows\n\nRead along a row:\n\n- one\n- two"


def test_titles_and_captions_stay_text_whatever_is_in_them(tmp_path):
    text = nbformat.v4.new_markdown_cell("# </h2><script>alert(1)</script>\n\n\"'><b>")
    notebook = nbformat.v4.new_notebook(cells=[text, make_cell({"image/png": PIXEL})])
    nbformat.write(notebook, tmp_path / "00_x.ipynb")
    page = write_index([tmp_path / "00_x.ipynb"], to=tmp_path).read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3  # in the title, the caption, and the text for no picture


@pytest.mark.parametrize("attribute", ['loading="lazy"', "loading='lazy'", "loading=lazy"])
def test_thumbnails_are_all_there_when_the_page_is_printed(tmp_path, attribute):
    cells = [make_cell({"text/html": f"<img {attribute} src='data:,'>"})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_x.ipynb")
    assert "lazy" not in write_index([tmp_path / "00_x.ipynb"], to=tmp_path).read_text()


def test_the_page_lets_no_script_run(tmp_path):
    cells = [make_cell({"text/html": "<img src='data:,'><script>alert(1)</script>"})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_x.ipynb")
    page = write_index([tmp_path / "00_x.ipynb"], to=tmp_path).read_text()
    policy = page.index("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert policy < page.index("<script>")
    assert "script-src" not in page


def test_pictures_of_an_earlier_run_that_are_no_longer_made_are_removed(tmp_path):
    for number_of_pictures in (2, 1):
        cells = [make_cell({"image/png": PIXEL}) for _ in range(number_of_pictures)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_x.ipynb")
        write_index([tmp_path / "00_x.ipynb"], to=tmp_path)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["00_x-1.png"]


@pytest.mark.slow
def test_the_command_fails_with_the_cell_and_still_says_where_to_look(tmp_path, capsys):
    save_notebook(tmp_path / "notebooks", "00_fail", ("code", "raise ValueError('no such corpus')"))
    assert main([str(tmp_path / "notebooks"), "--to", str(tmp_path / "results")]) == 1
    said = capsys.readouterr().out
    assert "raise ValueError('no such corpus')" in said
    assert "ValueError: no such corpus" in said
    assert "make lab" in said
    assert (tmp_path / "results" / "index.html").exists()


@pytest.mark.slow
def test_the_command_returns_0_when_all_went_well(tmp_path, capsys):
    save_notebook(tmp_path / "notebooks", "00_text", ("text", "# Nothing to do"))
    assert main([str(tmp_path / "notebooks"), "--to", str(tmp_path / "results")]) == 0
    assert re.search(r"^00_text +\d+\.\d s  ok$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.slow
def test_a_cell_that_takes_too_long_fails_with_its_source(tmp_path):
    save_notebook(tmp_path / "notebooks", "00_slow", ("code", "import time\ntime.sleep(60)"))
    runs = run_notebooks(tmp_path / "notebooks", to=tmp_path / "results", timeout=2)
    assert runs.status.tolist() == ["failed"]
    assert "time.sleep(60)" in runs.error[0]
    assert "CellTimeoutError" in runs.error[0]


@pytest.mark.slow
def test_a_kernel_that_dies_fails_with_the_cell_that_killed_it(tmp_path):
    save_notebook(tmp_path / "notebooks", "00_die", ("code", "import os\nos._exit(9)"))
    runs = run_notebooks(tmp_path / "notebooks", to=tmp_path / "results")
    assert runs.status.tolist() == ["failed"]
    assert "os._exit(9)" in runs.error[0]
    assert "DeadKernelError" in runs.error[0]


def test_notebooks_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10_last", "02_second", "00_first"):
        save_notebook(tmp_path, name)
    assert [path.stem for path in list_notebooks(tmp_path)] == ["00_first", "02_second", "10_last"]


def test_a_folder_without_notebooks_is_an_error_before_any_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="found none: name the folder"):
        run_notebooks(tmp_path, to=tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_the_report_is_a_table(series):
    _, runs = series
    assert isinstance(runs, pd.DataFrame)
    assert list(runs.columns) == ["notebook", "seconds", "status", "error"]


def save_with_parameters(folder):
    save_notebook(folder, "00_count", ("code", "low, high = 1, 2"), ("code", "print(low + high)"))
    notebook = nbformat.read(folder / "00_count.ipynb", as_version=4)
    notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, folder / "00_count.ipynb")


@pytest.mark.slow
def test_values_of_parameters_stand_in_a_cell_of_their_own_and_count(tmp_path):
    save_with_parameters(tmp_path / "notebooks")
    run_notebooks(tmp_path / "notebooks", to=tmp_path, parameters={"00": {"high": 40}})
    executed = nbformat.read(tmp_path / "notebooks" / "00_count.ipynb", as_version=4)
    assert [cell.source for cell in executed.cells[:2]] == ["low, high = 1, 2", "high = 40"]
    assert executed.cells[2].outputs[0].text == "41\n"


@pytest.mark.parametrize(
    ("parameters", "message"), [({"00": {"hihg": 3}}, "high, low.*'hihg'"), ({"07": {"high": 3}}, "'07'")]
)
def test_a_parameter_that_is_not_there_is_refused(tmp_path, parameters, message):
    save_with_parameters(tmp_path / "notebooks")
    with pytest.raises(ValueError, match=message):
        run_notebooks(tmp_path / "notebooks", to=tmp_path / "results", parameters=parameters)
