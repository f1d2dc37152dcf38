"""One small survey: three respondents, two images, three items."""

import pandas as pd
import pytest
from survey_runs import ADDRESS, ITEMS, NAMES, run_qualtrics, spoil

import visclust as vc


@pytest.fixture
def assignment():
    rows = [
        (name, "D" if i < 2 else "R", k + 1, image, k)
        for i, name in enumerate(NAMES)
        for k, image in enumerate(["a", "b"] if i % 2 else ["b", "a"])
    ]
    return pd.DataFrame(rows, columns=["respondent", "group", "position", "image_id", "cluster"])


@pytest.fixture
def images(make_images):
    return make_images(["a", "b"])


@pytest.fixture
def truth(assignment):
    """Ratings by respondent, image and item, all different enough to show a mix-up."""
    keys = [(row.respondent, row.image_id, item) for row in assignment.itertuples() for item in ITEMS]
    return {key: 1 + (3 * i) % 10 for i, key in enumerate(keys)}


@pytest.fixture
def spoiled(assignment, images, truth, tmp_path):
    vc.export_survey(assignment, images, save_to=tmp_path, items=ITEMS, image_address=ADDRESS)
    run_qualtrics(tmp_path, truth, tmp_path / "back.csv", rows_of=spoil)
    return vc.read_ratings(tmp_path / "back.csv", assignment, items=ITEMS)
