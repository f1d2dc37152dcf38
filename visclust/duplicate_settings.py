"""The methods of finding duplicates, their thresholds, and what settings go together."""

from visclust.duplicate_groups import GROUPINGS

__all__ = ["DEFAULT_THRESHOLDS", "METHODS", "check_duplicate_settings"]

METHODS = ("exact", "perceptual", "embedding")
# The largest at which no pair of different photographs of the example corpus was joined (precision 1): there
# perceptual hashes at 8 bits and cosine distances at 0.12 each join the first.
DEFAULT_THRESHOLDS = {"perceptual": 6, "cosine": 0.1}


def check_duplicate_settings(method: str, threshold: float | None, *, metric: str, grouping: str) -> float:
    """Check the settings of `find_duplicates`, and give the threshold.

    Parameters
    ----------
    method, metric, grouping : str
        As for `find_duplicates`.
    threshold : float or None
        None for the default of the method.

    Returns
    -------
    float
        The threshold; 0 for "exact".

    Raises
    ------
    ValueError
        If a setting is unknown or out of range, or there is no default.

    Examples
    --------
    >>> check_duplicate_settings("perceptual", None, metric="cosine", grouping="connected")
    6
    """
    if method not in METHODS:
        raise ValueError(f"Expected one of {', '.join(METHODS)} as method, got {method!r}.")
    if grouping not in GROUPINGS:
        raise ValueError(f"Expected one of {', '.join(GROUPINGS)} as grouping, got {grouping!r}.")
    if method == "exact":
        if threshold is not None:
            raise ValueError('method="exact" has no threshold: leave it out, or take another method.')
        return 0
    if threshold is None:
        threshold = DEFAULT_THRESHOLDS.get("perceptual" if method == "perceptual" else metric)
    if threshold is None:
        raise ValueError(
            f"Expected a threshold for metric={metric!r}, which depends on the encoder's scale: look at the "
            "distances that list_neighbours gives, or use metric='cosine'."
        )
    if isinstance(threshold, bool | str):
        raise ValueError(f"Expected threshold to be a number, got {threshold!r}.")
    if method == "perceptual" and (threshold != int(threshold) or not 0 <= threshold < 64):
        raise ValueError(f"Expected threshold to be a whole number of bits from 0 to 63, got {threshold!r}.")
    if not threshold >= 0:
        raise ValueError(f"Expected threshold to be a distance of 0 or more, got {threshold!r}.")
    return threshold
