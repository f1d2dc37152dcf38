"""Matrices and labels in every form: taken, or refused in words, by every function alike; at any scale."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import visclust as vc
from visclust.base.arrays import find_scale, take_labels, take_matrix
from visclust.base.distances import center_rows
from visclust.embedding.embed import Embedding

LABELS = np.repeat([0, 1, 2, 3], 5)
X = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0) + np.linspace(0, 0.1, 20, dtype=np.float32)[:, None]
IDS = [f"i{row}" for row in range(20)]
CLUSTERS = pd.DataFrame({"image_id": IDS, "cluster": LABELS, "iteration": 1, "silhouette": 0.5})
GRID = {"step_sizes": [2], "similarity_thresholds": [0.0], "baselines": [3], "matched_baselines": False}
GRID["seeds"] = [0]

# Every public function that takes rows, and what of its result does not depend on the form that they come in.
USES = {
    "silhouette_samples": lambda x: vc.silhouette_samples(x, LABELS).tolist(),
    "score_clusters": lambda x: vc.score_clusters(x, LABELS)["silhouette"].tolist(),
    "cluster_once": lambda x: vc.cluster_once(x, n_clusters=4).labels.tolist(),
    "cluster_iteratively": lambda x: vc.cluster_iteratively(x, step_size=2, progress=False).labels.tolist(),
    "scan_k": lambda x: vc.scan_k(x, ks=[2, 4], progress=False)["silhouette"].tolist(),
    "grid_search": lambda x: vc.grid_search({"a": x}, **GRID, progress=False).table["clusters"].tolist(),
    "assign_nearest": lambda x: vc.assign_nearest(x, np.where(np.arange(20) % 5, LABELS, -1)).tolist(),
    "list_typical_images": lambda x: vc.list_typical_images(CLUSTERS, x, n_images=2)["image_id"].tolist(),
    "list_neighbours": lambda x: vc.list_neighbours(x, IDS, of=["i3"], n=2)["image_id"].tolist(),
    "sample_pairs": lambda x: vc.sample_pairs(CLUSTERS, x, n_pairs=6)["image_a"].tolist(),
}
every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


class Strange:
    """Something that no library knows."""


TAKEN = {
    "float64": X.astype(np.float64),
    "lists": X.astype(np.float64).tolist(),
    "tuples": tuple(map(tuple, X.astype(np.float64).tolist())),
    "a table": pd.DataFrame(X),
    "a table of nullable numbers": pd.DataFrame(X.astype(np.float64)).convert_dtypes(convert_integer=False),
    "torch": torch.from_numpy(X.copy()),
    "torch with gradients": torch.from_numpy(X.copy()).requires_grad_(),
    "an embedding": Embedding(X, IDS, {}),
    "an embedding of torch": Embedding(torch.from_numpy(X.copy()), IDS, {}),
    "big-endian": X.astype(">f8"),
    "in Fortran's order": np.asfortranarray(X),
    "every other row of more": np.repeat(X, 2, axis=0)[::2],
    "read only": np.frombuffer(X.tobytes(), np.float32).reshape(X.shape),
    "long double": X.astype(np.longdouble),
    "nothing masked": np.ma.MaskedArray(X, mask=False),
}


@every_use
@pytest.mark.parametrize("form", TAKEN)
def test_rows_are_taken_in_every_form_and_give_the_same(use, form):
    found, expected = use(TAKEN[form]), use(X)
    assert found == pytest.approx(expected, abs=1e-6) if isinstance(found[0], float) else found == expected


def with_value(value, dtype=np.float64):
    x = X.astype(dtype)
    x[3, 1] = x[7, 0] = value
    return x


REFUSED = {
    "NaN": (with_value(np.nan), "rows 3, 7"),
    "infinity": (with_value(np.inf), "rows 3, 7"),
    "minus infinity in a table": (pd.DataFrame(with_value(-np.inf)), "rows 3, 7"),
    "NaN in lists": (with_value(np.nan).tolist(), "rows 3, 7"),
    "NaN in torch": (torch.from_numpy(with_value(np.nan)), "rows 3, 7"),
    "missing in nullable numbers": (pd.DataFrame(with_value(np.nan)).convert_dtypes(), "rows 3, 7"),
    "float16 beyond its end": (with_value(1e6, np.float16), "rows 3, 7"),
    "booleans": (X > 0.5, "got bool"),
    "complex numbers": (X + 1j, "got complex"),
    "texts": (X.astype(str), "got <U"),
    "objects": (X.astype(object), "got object"),
    "times": (X.astype("datetime64[s]"), "got datetime64"),
    "a table with ids": (pd.DataFrame(X).assign(image_id=IDS), "image_id"),
    "rows of several lengths": ([[1.0, 2.0], [3.0]], "rows of one length"),
    "one dimension": (X[:, 0], re.escape("(20,)")),
    "three dimensions": (X[:, :, None], re.escape("(20, 4, 1)")),
    "no columns": (X[:, :0], re.escape("(20, 0)")),
    "a sparse matrix": (sparse.csr_array(X), "toarray"),
    "a masked row": (np.ma.MaskedArray(X, mask=X > 1), "masked"),
    "whole numbers beyond float64": (np.full((20, 2), 2**60), "2\\^53"),
    "a text": ("embeddings/pretrained.npy", "got str"),
    "nothing": (None, "got NoneType"),
    "something else": (Strange(), "got Strange"),
}


@every_use
@pytest.mark.parametrize("case", REFUSED)
def test_other_rows_are_refused_in_the_same_words_everywhere(use, case):
    x, said = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=f"Expected .*{said}"):
        use(x)


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint8, np.int64, np.uint64])
def test_small_numbers_and_whole_ones_are_exact(dtype):
    x = np.arange(12).reshape(4, 3).astype(dtype)
    assert take_matrix(x).tolist() == x.tolist()
    assert take_matrix(x).dtype in (np.float32, np.float64)


def test_bfloat16_of_torch_is_taken():
    assert take_matrix(torch.ones(2, 2, dtype=torch.bfloat16)).dtype == np.float32


@pytest.mark.parametrize("exponent", [-1000, -600, -166, -100, -31, 31, 100, 166, 600, 1000])
@pytest.mark.parametrize("use", [USES[name] for name in USES if name != "sample_pairs"])
def test_the_scale_of_the_rows_changes_nothing(use, exponent):
    x = X.astype(np.float64)
    found, expected = use(x * 2.0**exponent), use(x)
    assert found == pytest.approx(expected, abs=1e-6) if isinstance(found[0], float) else found == expected


@pytest.mark.parametrize("scale", [1e-50, 1e-310, 1e200, 1e300, 5e-324 * 2**40])
def test_silhouettes_of_tiny_and_huge_rows_are_those_of_long_doubles(scale):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3)) * scale
    np.testing.assert_allclose(
        vc.silhouette_samples(x, LABELS), exact_silhouettes(x, LABELS), atol=2e-6
    )  # distances in float32


def exact_silhouettes(x, labels):
    """Compute silhouettes in long doubles by their definition."""
    x = x.astype(np.longdouble)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))
    scores = []
    for row, label in enumerate(labels):
        own = (labels == label) & (np.arange(len(x)) != row)
        if not own.any():
            scores.append(0.0)
            continue
        a = distances[row, own].mean()
        b = min(distances[row, labels == other].mean() for other in set(labels) - {label})
        scores.append(float((b - a) / max(a, b)) if max(a, b) else 0.0)
    return np.array(scores)


def far_rows(far, dtype=np.float64):
    return np.r_[np.repeat([[0.0], [1.0], [2.0]], 5, 0), [[far]]].astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [2e1, 2e3, -2e5, 2e7, 2e9, 2e12, 2e14])
def test_one_far_row_hides_no_cluster(far, dtype):
    x = far_rows(far, dtype)
    found = vc.cluster_once(x, n_clusters=4)
    assert found.stop_reason == "one k-means"
    assert pd.Series(found.labels).value_counts().tolist() == [5, 5, 5, 1]
    np.testing.assert_allclose(found.silhouettes, exact_silhouettes(x, found.labels), atol=1e-6)


FAR_GROUPS = {
    "two far groups of three": np.r_[far_rows(3)[:15], far_rows(3)[:15] + 1e9],
    "a far group of three": np.r_[np.zeros((9, 1)), far_rows(3)[:15] + 1e7],
    "groups on either side": np.r_[far_rows(3)[:15] - 1e6, far_rows(3)[:15] + 1e6],
    "all rows far from zero": far_rows(2)[:15] + 1e12,
    "two columns of other scales": np.c_[far_rows(3)[:15] * 1e6, np.tile([0.0, 1e-3, 2e-3], 5)],
    "constant columns beside": np.c_[far_rows(2e9), np.full((16, 2), 1e15)],
    "many rows and one far": np.r_[np.repeat(np.arange(4.0), 50)[:, None], [[1e10]]],
}


@pytest.mark.parametrize("case", FAR_GROUPS)
def test_what_is_near_is_told_apart_though_other_rows_are_far(case):
    x = FAR_GROUPS[case]
    distinct, codes = np.unique(x, axis=0, return_inverse=True)
    found = vc.cluster_once(x, n_clusters=len(distinct))
    assert found.stop_reason == "one k-means"
    assert len(pd.DataFrame({"ours": found.labels, "true": codes.ravel()}).drop_duplicates()) == len(distinct)
    np.testing.assert_allclose(found.silhouettes, exact_silhouettes(x, found.labels), atol=1e-6)


def test_repeated_and_single_rows_and_constant_columns():
    once = vc.cluster_once(np.repeat([[1.0, 5.0], [2.0, 5.0]], 4, axis=0), n_clusters=3)
    assert once.stop_reason == "one k-means; only 2 distinct images"
    assert vc.cluster_once(np.ones((1, 3)), n_clusters=1).labels.tolist() == [0]
    assert "cannot be told apart" in vc.cluster_iteratively(np.ones((30, 3)), progress=False).stop_reason
    assert center_rows(np.full((5, 2), 1e200)).tolist() == [[0, 0]] * 5


def test_subnormal_float32_is_taken_at_its_scale():
    x = (np.arange(20).reshape(20, 1) // 5 * 1e-40).astype(np.float32)
    assert find_scale(x) > 1
    assert len(set(vc.cluster_once(x, n_clusters=4).labels)) == 4


@pytest.mark.parametrize(
    "labels",
    [
        LABELS.tolist(),
        tuple(LABELS),
        pd.Series(LABELS, index=range(100, 120)),
        pd.Series(LABELS, dtype="Int64"),
        pd.Categorical(LABELS),
        torch.from_numpy(LABELS),
        LABELS.astype(np.float64),
        LABELS.astype(np.uint8),
        LABELS.astype(str),
        pd.Series(LABELS).map("cluster {}".format),
    ],
)
def test_labels_are_taken_in_every_form(labels):
    expected = vc.silhouette_samples(X, LABELS)
    assert vc.silhouette_samples(X, labels).tolist() == expected.tolist()
    assert vc.score_clusters(X, labels)["silhouette"].tolist() == pytest.approx([0.9] * 4, abs=0.2)


def missing(value, dtype=object):
    labels = LABELS.astype(dtype)
    labels[[2, 9]] = value
    return labels


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (missing(np.nan, float), "2 are missing \\(rows 2, 9\\)"),
        (missing(None), "2 are missing \\(rows 2, 9\\)"),
        (missing(None).tolist(), "2 are missing \\(rows 2, 9\\)"),
        (pd.Series(missing(np.nan, float)).astype("Int64"), "2 are missing \\(rows 2, 9\\)"),
        (pd.Series(LABELS.astype(str)).where(LABELS > 0), "5 are missing \\(rows 0, 1, 2, 3, 4\\)"),
        (torch.from_numpy(missing(np.nan, float)), "2 are missing"),
        (missing(1.5, float), "whole numbers"),
        (missing(np.inf, float), "whole numbers"),
        (LABELS[:, None], "shape \\(20, 1\\)"),
        (LABELS[:19], "got 19 labels"),
        (LABELS + 1j, "whole numbers or texts"),
    ],
)
def test_other_labels_are_refused_in_words(labels, said):
    for use in (vc.silhouette_samples, vc.score_clusters, vc.assign_nearest):
        with pytest.raises((TypeError, ValueError), match=f"Expected .*{said}"):
            use(X, labels)


def test_labels_keep_their_numbers():
    assert take_labels([-1, 7, 7], n=3).tolist() == [-1, 7, 7]


def test_the_record_knows_rows_that_came_as_lists():
    made = vc.cluster_once(X.tolist(), n_clusters=4).provenance
    assert made["inputs"] == vc.cluster_once(X.astype(np.float64), n_clusters=4).provenance["inputs"]
