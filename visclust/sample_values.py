"""Join what was seen in images, and the domains they belong to, to the rows of a sample."""

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["join_domains", "join_values"]


def join_values(
    sample: pd.DataFrame, value: str | pd.Series | pd.DataFrame, *, numeric: bool = True
) -> dict[str, pd.Series]:
    """Give each sampled image its values, in the order of the sample.

    Parameters
    ----------
    sample : DataFrame
        The sample table.
    value : str, Series or DataFrame
        A column of the sample; a Series indexed by image id; or a table with ``image_id`` and values.
    numeric : bool, default True
        Whether the values must be numbers, or True and False.

    Returns
    -------
    dict of str to Series
        Values by name; missing where an image has none.

    Raises
    ------
    ValueError
        If there is no such column, an image comes twice, no image matches, or a number is needed.

    Examples
    --------
    >>> sample = pd.DataFrame({"image_id": ["a", "b"]})
    >>> join_values(sample, pd.Series({"b": 2.0, "a": 1.0}))["value"].tolist()
    [1.0, 2.0]
    """
    if isinstance(value, str):
        if value not in sample.columns:
            raise ValueError(
                f"The sample has no column {value!r} (it has {', '.join(map(str, sample.columns))}). Join "
                "it, or give the values as a Series indexed by image id."
            )
        found = {value: sample[value].reset_index(drop=True)}
    elif isinstance(value, pd.Series):
        found = {str(value.name or "value"): _look_up(value, sample)}
    else:
        if not isinstance(value, pd.DataFrame):
            raise ValueError(
                "Expected values as a column of the sample, a Series indexed by image id, or a table with "
                f"image_id, got {type(value).__name__}."
            )
        if "image_id" not in value.columns or len(value.columns) < 2:
            raise ValueError(
                f"Expected a table with image_id and at least one column of values, got the columns "
                f"{list(map(str, value.columns))}."
            )
        indexed = value.set_index("image_id")
        found = {str(name): _look_up(indexed[name], sample) for name in indexed.columns}
    for name, column in found.items():
        if numeric and not (pd.api.types.is_numeric_dtype(column) or _is_truth(column)):
            raise ValueError(
                f"Expected numbers, or True and False, in {name!r}, got {column.dropna().iloc[0]!r}. For the "
                "shares of categories use statistic='proportion'."
            )
        if numeric and np.isinf(column.dropna().to_numpy(float)).any():
            raise ValueError(f"Expected finite numbers in {name!r}, got an infinite one. Correct it.")
    return found


def join_domains(sample: pd.DataFrame, by: str | pd.Series | None, clusters: pd.DataFrame) -> tuple[Any, Any]:
    """Give each sampled image its domain, and each image of the corpus where that is known.

    Parameters
    ----------
    sample : DataFrame
        The sample table.
    by : str, Series or None
        A column of the sample or of the clusters table, or a Series indexed by image id.
    clusters : DataFrame
        The clusters table.

    Returns
    -------
    tuple of (ndarray or None, ndarray or None)
        Domains of the sampled images, and of all images of the corpus.

    Raises
    ------
    ValueError
        If there is no such column, or an image has no domain.

    Examples
    --------
    >>> clusters = pd.DataFrame({"image_id": ["a", "b"], "cluster": [0, 1]})
    >>> [part.tolist() for part in join_domains(clusters.tail(1), "cluster", clusters)]
    [[1], [0, 1]]
    """
    if by is None:
        return None, None
    everyone = None
    if isinstance(by, pd.Series):
        mine = _look_up(by, sample)
        whole = _look_up(by, clusters)
        everyone = whole.to_numpy() if whole.notna().all() else None
    elif by in clusters.columns:
        mine, everyone = _look_up(clusters.set_index("image_id")[by], sample), clusters[by].to_numpy()
    elif by in sample.columns:
        mine = sample[by]
    else:
        raise ValueError(
            f"Neither the sample nor the clusters table has a column {by!r}. Name one that is there."
        )
    if mine.isna().any():
        raise ValueError(
            f"{int(mine.isna().sum())} sampled images have no domain in `by`. Fill it in, or give them one "
            "of their own, such as 'unknown'."
        )
    return mine.to_numpy(), everyone


def _look_up(values: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Take values by image id, in the order of a table."""
    if values.index.duplicated().any():
        raise ValueError(
            f"Expected one value per image; {values.index[values.index.duplicated()][0]!r} comes twice. "
            "Average or choose first."
        )
    found = values.reindex(table["image_id"]).reset_index(drop=True)
    if found.isna().all():
        raise ValueError(
            "None of the images has a value. Index the Series by image_id, and check that the ids match."
        )
    return found


def _is_truth(column: pd.Series) -> bool:
    """Say whether a column holds True and False, possibly with gaps."""
    return bool(column.dropna().map(lambda each: isinstance(each, (bool, np.bool_))).all())
