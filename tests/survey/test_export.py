"""What an exported survey holds, and which one is refused before anything is written."""

import pandas as pd
import pytest
from PIL import Image
from survey_runs import ADDRESS

import visclust as vc
from visclust.survey.cells import read_rows_of_cells


@pytest.mark.parametrize("to", ["qualtrics", "csv", "html"])
def test_no_exported_table_holds_a_formula(assignment, images, tmp_path, to):
    for image in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{image}.jpg")
    made = vc.export_survey(
        assignment, images, to=to, save_to=tmp_path, image_address=ADDRESS, images_folder=tmp_path
    )
    tables = [path for path in made.files if path.suffix == ".csv"]
    assert tables
    cells = [cell for path in tables for row in read_rows_of_cells(path) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert any("R1()" in cell for cell in cells)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": "paper"}, "'qualtrics', 'csv' or 'html'"),
        ({"image_address": None}, "Qualtrics shows images by their address"),
        ({"image_address": "https://example.org/a.jpg"}, r"with \{image_id\} in it"),
        ({"image_address": "javascript:alert({image_id})"}, "https:// or http://"),
        ({"image_address": 'https://x.org/"onerror={image_id}'}, "no spaces, quotes"),
        ({"image_address": {"a": "https://x.org/a"}}, "1 assigned images have no address"),
        ({"image_address": "https://x.org/" + "y" * 1100 + "{image_id}"}, "1024 characters at most"),
        ({"items": ["a", "[[b]]"]}, r"without '\[\['"),
        ({"to": "csv", "items": ["seconds"]}, "rename the item 'seconds'"),
    ],
)
def test_a_survey_that_cannot_be_made_is_refused(assignment, images, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        vc.export_survey(assignment, images, save_to=tmp_path, **{"image_address": ADDRESS, **change})
    assert not list(tmp_path.iterdir())


def test_an_assigned_image_that_is_not_usable_is_refused_before_anything_is_written(
    assignment, images, tmp_path
):
    with pytest.raises(ValueError, match=r"1 are not .*'b'"):
        vc.export_survey(assignment, images.head(1), to="csv", save_to=tmp_path)
    with pytest.raises(ValueError, match="as many images for every respondent"):
        vc.export_survey(assignment.head(5), images, save_to=tmp_path, image_address=ADDRESS)


def test_a_survey_for_simulated_respondents_says_so_in_its_instructions(tmp_path):
    images = pd.DataFrame(
        {"image_id": ["a"], "path": "a.jpg", "status": "ok", "reason": "", "width": 8, "height": 8}
    )
    assignment = pd.DataFrame(
        {"respondent": ["r1"], "group": "D", "position": 1, "image_id": "a", "cluster": 0}
    )
    for name, table in {"real": assignment, "made_up": assignment.assign(simulated=True)}.items():
        made = vc.export_survey(table, images, to="csv", save_to=tmp_path / name)
        text = (made.folder / "INSTRUCTIONS.txt").read_text(encoding="utf-8")
        assert text.startswith("SIMULATED") == (name == "made_up")
