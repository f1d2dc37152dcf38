"""How sure the means of a mixed model are: the covariance and degrees of freedom of Kenward and Roger.

Ratings have `H` times the residual's variance, where `H` is the identity plus, for respondents, for images
and for the cells of images within groups, a squared ratio times `Z Z'`, with `Z` the marks of whose or of
what a rating is.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, diags_array, issparse

_EFFECTS = ("respondents", "images", "cells")


class Inverse(NamedTuple):
    """The inverse of `H` between the marks of two effects: `base[k, l] - factors[k] inner factors[l]'`.

    ``base`` holds each two effects once, ``inner`` is square, and as small as the design allows.
    """

    base: dict[tuple[str, str], Any]
    factors: dict[str, Any]
    inner: np.ndarray


class Judgement(NamedTuple):
    """What contrasts of the means (g,) are judged by.

    ``covariance`` (g, g) is the means', enlarged because the variances are estimated; ``plain`` (g, g) is as
    if these were known, and ``slopes`` (4, g, g) its derivatives by the variances of respondents, images,
    cells and the residual, whose own covariance is ``noise`` (4, 4).
    """

    covariance: np.ndarray
    plain: np.ndarray
    slopes: np.ndarray
    noise: np.ndarray

    def judge(self, contrast: np.ndarray) -> tuple[float, float]:
        """Give the standard error of a contrast, and the degrees of freedom of its t distribution."""
        variance = float(contrast @ self.plain @ contrast)
        slopes = np.einsum("g,kgh,h->k", contrast, self.slopes, contrast)
        noise = float(slopes @ self.noise @ slopes)
        error = float(np.sqrt(contrast @ self.covariance @ contrast))
        return error, 2 * variance**2 / noise if noise > 0 else np.inf


def invert(marks: csr_array, counts: np.ndarray, ratios: np.ndarray) -> Inverse:
    """Invert `H` at the ratios of respondents, images and cells, by way of whichever are fewer.

    `marks` (respondents, cells) says who rated what, and `counts` (images, groups) how often it was.
    """
    few_cells = counts.size < marks.shape[0]
    return (_invert_by_cells if few_cells else _invert_by_respondents)(marks, counts, ratios)


def _invert_by_cells(marks: csr_array, counts: np.ndarray, ratios: np.ndarray) -> Inverse:
    """Take the respondents out in closed form; what is left has the size of the cells."""
    number = marks.sum(axis=1)
    left = 1 / (1 + ratios[0] ** 2 * number)
    cells = np.diag(counts.ravel()) - dense(marks.T @ diags_array(ratios[0] ** 2 * left) @ marks)
    n_groups = counts.shape[1]
    middle = scale_cells(scale_cells(cells, ratios, n_groups).T, ratios, n_groups)
    root = scale_cells(np.eye(len(cells)), ratios, n_groups)
    people, join = (diags_array(left) @ marks).tocsr(), _join_cells(*counts.shape)
    base = _gather(cells, people, diags_array(number * left).tocsr(), join)
    factors = {"respondents": people, "images": join.T @ cells, "cells": cells}
    return Inverse(base, factors, root @ np.linalg.solve(np.eye(len(cells)) + middle, root))


def _invert_by_respondents(marks: csr_array, counts: np.ndarray, ratios: np.ndarray) -> Inverse:
    """Take the images out in closed form; what is left has the size of the respondents."""
    n_images, n_groups = counts.shape
    own = np.eye(n_groups)
    effect = ratios[1] ** 2 + ratios[2] ** 2 * own
    kept = np.linalg.inv(own + counts[:, :, None] * effect)
    felt = (_stack_blocks(kept) @ marks.T).tocsr()
    taken = marks @ _stack_blocks(effect @ kept) @ marks.T
    people = np.diag(marks.sum(axis=1)) - dense(taken)
    middle = np.eye(len(people)) + ratios[0] ** 2 * people
    join = _join_cells(n_images, n_groups)
    base = _gather(_stack_blocks(kept * counts[:, None, :]), felt.T.tocsr(), people, join)
    factors = {"respondents": people, "images": join.T @ felt, "cells": felt}
    return Inverse(base, factors, ratios[0] ** 2 * np.linalg.inv(middle))


def _gather(cells: Any, people_cells: Any, people: Any, join: csr_array) -> dict[tuple[str, str], Any]:
    """Name the parts; those of images are sums over their cells."""
    return {
        ("cells", "cells"): cells, ("images", "cells"): join.T @ cells,
        ("images", "images"): join.T @ cells @ join, ("respondents", "cells"): people_cells,
        ("respondents", "images"): people_cells @ join, ("respondents", "respondents"): people,
    }  # fmt: skip


def scale_cells(rows: np.ndarray, ratios: np.ndarray, n_groups: int) -> np.ndarray:
    """Multiply rows (cells, k) by the root of the cells' covariance, of the images' effects and their own."""
    own = abs(float(ratios[2]))
    shared = (float(np.hypot(own, np.sqrt(n_groups) * ratios[1])) - own) / n_groups
    blocks = rows.reshape(-1, n_groups, rows.shape[1])
    return (own * blocks + shared * blocks.sum(axis=1, keepdims=True)).reshape(rows.shape)


def judge_means(marks: csr_array, counts: np.ndarray, ratios: np.ndarray, residual_sd: float) -> Judgement:
    """Judge the means of groups by restricted maximum likelihood, as Kenward and Roger do.

    A variance that is estimated as zero stays one that was estimated: it adds to the uncertainty as well.
    """
    n_images, n_groups = counts.shape
    inverse = invert(marks, counts, ratios)
    own = csr_array(np.tile(np.eye(n_groups), (n_images, 1)))  # from the groups' means to cells
    inner = inverse.inner
    crossed = {name: inner @ dense(inverse.factors["cells"].T @ own) for name in ("cells",)}["cells"]
    base = {**inverse.base, **{(m, k): part.T for (k, m), part in inverse.base.items() if k != m}}
    felt = {name: dense(base[name, "cells"] @ own) - inverse.factors[name] @ crossed for name in _EFFECTS}
    squared = {name: dense(inverse.factors[name].T @ inverse.factors[name]) @ inner for name in _EFFECTS}
    reach = {name: dense(inverse.factors[name].T @ felt[name]) for name in _EFFECTS}
    traces, between = np.zeros((4, 4)), np.zeros((4, 4, n_groups, n_groups))
    single = np.zeros(4)
    for k, one in enumerate(_EFFECTS):
        square = dense(inverse.factors[one].T @ inverse.factors[one])
        single[k] = base[one, one].diagonal().sum() - (inner * square).sum()
        for m, other in enumerate(_EFFECTS):
            part = base[one, other]
            mixed = dense(inverse.factors[other].T @ (part.T @ inverse.factors[one]))
            traces[k, m] = (
                _sum_squares(part) - 2 * (inner * mixed).sum() + (squared[one] * squared[other].T).sum()
            )
            between[k, m] = felt[one].T @ (part @ felt[other]) - reach[one].T @ inner @ reach[other]
    information = own.T @ felt["cells"]
    within = np.array([*(each.T @ each for each in felt.values()), np.zeros((n_groups, n_groups))])
    # What belongs to the residual follows from H being the sum of its parts.
    squares = ratios**2
    within[3] = information - np.tensordot(squares, within[:3], 1)
    traces[3, :3] = traces[:3, 3] = single[:3] - squares @ traces[:3, :3]
    traces[3, 3] = counts.sum() - squares @ single[:3] - squares @ traces[:3, 3]
    between[3, :3] = within[:3] - np.tensordot(squares, between[:3, :3], 1)
    between[:3, 3] = between[3, :3].transpose(0, 2, 1)
    between[3, 3] = within[3] - np.tensordot(squares, between[:3, 3], 1)
    plain = np.linalg.inv(information)
    slopes = plain @ within @ plain
    expected = traces - 2 * np.einsum("gh,kmhg->km", plain, between)
    expected += np.einsum("kgh,mhg->km", slopes, within)
    noise = 2 * np.linalg.pinv(expected, hermitian=True, rtol=1e-9)
    excess = between - np.einsum("kgh,mhi->kmgi", within @ plain, within)
    larger = plain + 2 * plain @ np.einsum("km,kmgh->gh", noise, excess) @ plain
    variance = residual_sd**2
    return Judgement(variance * larger, variance * plain, slopes, variance**2 * noise)


def dense(part: Any) -> np.ndarray:
    """Give a matrix with all its zeros."""
    return part.toarray() if issparse(part) else np.asarray(part)


def _sum_squares(part: Any) -> float:
    return float(part.power(2).sum() if issparse(part) else (part**2).sum())


def _stack_blocks(blocks: np.ndarray) -> csr_array:
    """Put blocks (m, g, g) along the diagonal."""
    m, g, _ = blocks.shape
    columns = np.arange(m * g).reshape(m, 1, g).repeat(g, axis=1)
    return csr_array((blocks.ravel(), columns.ravel(), np.arange(0, m * g * g + 1, g)), shape=(m * g, m * g))


def _join_cells(n_images: int, n_groups: int) -> csr_array:
    """Give the marks (cells, images) of which cell is of which image."""
    cells = n_images * n_groups
    return csr_array(
        (np.ones(cells), np.repeat(np.arange(n_images), n_groups), np.arange(cells + 1)),
        shape=(cells, n_images),
    )
