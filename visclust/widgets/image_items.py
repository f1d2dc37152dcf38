"""What a labeller of single images needs of the tables: files, and who sees which image."""

import pandas as pd

from visclust.annotation.answer_files import clean_name
from visclust.base.tables import check_table


def list_assigned_images(assignment: pd.DataFrame, respondent: str) -> list[str]:
    """List the images that a respondent rates, in the order in which the respondent sees them.

    Parameters
    ----------
    assignment : DataFrame
        An assignment table.
    respondent : str
        One of its respondents.

    Returns
    -------
    list of str
        Image ids by ``position``.

    Raises
    ------
    ValueError
        If the table gives the respondent no image.

    Examples
    --------
    >>> assignment = pd.DataFrame({"respondent": "r1", "group": "a", "position": [2, 1],
    ...                            "image_id": ["x", "y"], "cluster": [0, 1]})
    >>> list_assigned_images(assignment, "r1")
    ['y', 'x']
    """
    check_table(assignment, "assignment")
    name = clean_name(respondent)
    own = assignment[assignment["respondent"].map(clean_name) == name]
    if own.empty:
        raise ValueError(
            f"Expected one of the {assignment['respondent'].nunique()} respondents of the assignment table, "
            f"got {respondent!r}. Names must be written alike, upper case included."
        )
    if own["respondent"].nunique() > 1:
        raise ValueError(
            f"Expected respondents whose names differ by more than spaces, got "
            f"{' and '.join(map(repr, own['respondent'].unique()))}. Rename one."
        )
    return own.sort_values("position", kind="stable")["image_id"].tolist()
