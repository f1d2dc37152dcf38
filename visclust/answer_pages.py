"""Label without a server: a page that keeps its own answers, and its answers taken back in."""

import os
from pathlib import Path

import pandas as pd

from visclust.labelling_pages import write_labelling_page
from visclust.widgets.pair_items import PAIR_QUESTION, describe_pair_view, find_pair_files


def export_pair_page(
    pairs: pd.DataFrame,
    images: pd.DataFrame,
    *,
    annotator: str,
    save_to: str | os.PathLike,
    question: str = PAIR_QUESTION,
    construct: str = "",
    max_side: int = 384,
    revisit_skipped: bool = False,
    images_folder: str | os.PathLike | None = None,
) -> Path:
    """Write one HTML file in which one annotator labels pairs on any computer, offline.

    The page has its images inside, looks and works like `label_pairs`, and keeps the answers in the
    browser, where they survive its restart. The annotator downloads them, is reminded every 50 answers,
    and sends the file back for `import_answers`. The page asks nothing of any network.

    Parameters
    ----------
    pairs : DataFrame
        A pairs table; ``image_a`` is shown on the left. Strata and probabilities stay out of the page.
    images : DataFrame
        The images table. Paths stay out of the page.
    annotator : str
        Who will answer; make one page per person.
    save_to : str or path
        Folder for the page.
    question, construct : str, optional
        Texts above the images.
    max_side : int, default 384
        Longest side of the images, in pixels: about 20 kB an image.
    revisit_skipped : bool, default False
        Show skipped pairs once more after all others.
    images_folder : str or path, optional
        Where relative paths in `images` start; the working directory by default.

    Returns
    -------
    pathlib.Path
        The page, named after the annotator.

    Raises
    ------
    ValueError
        If a table or an option is not usable, or an image cannot be read (any more).

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> images = pd.DataFrame({"image_id": ["a", "b"], "path": "a.png", "status": "ok",
    ...                        "reason": "", "width": 8, "height": 8})
    >>> images.loc[1, "path"] = "./a.png"
    >>> pairs = pd.DataFrame({"pair_id": ["p1"], "image_a": ["a"], "image_b": ["b"], "stratum": ["random"],
    ...                       "inclusion_probability": [0.1]})
    >>> export_pair_page(pairs, images, annotator="Ana", save_to=folder, images_folder=folder).name
    'ana-dea210f0.html'
    """
    items = find_pair_files(pairs, images, folder=images_folder)
    settings = describe_pair_view(
        annotator=annotator, save_to=save_to, question=question, construct=construct, prefetch=4
    )
    return write_labelling_page(
        settings | {"revisit_skipped": revisit_skipped},
        items.sides,
        items.files,
        save_to=save_to,
        study=[settings["annotator"], items.sides],
        max_side=max_side,
    )
