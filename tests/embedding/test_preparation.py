import numpy as np
import pytest

import visclust as vc
from visclust.embedding.embed import Embedding


def make_rows(n=60, d=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype("float32") + np.float32(2)


def name_rows(n):
    return [f"image_{i}" for i in range(n)]


@pytest.fixture
def embedding():
    return Embedding(make_rows(), name_rows(60), {"function": "embed_images"})


@pytest.fixture
def _quick_umap(monkeypatch):
    """Put in the place of UMAP a layout that keeps the first columns: umap-learn compiles for seconds."""
    monkeypatch.setattr(
        "visclust.embedding.preparation.lay_out_rows", lambda x, n_components, **_: x[:, :n_components]
    )


def test_raw_rows_are_the_same_object(embedding):
    prepared = vc.prepare_rows(embedding, how="none")
    assert prepared.x is embedding.x
    assert (prepared.how, prepared.image_ids) == ("none", embedding.image_ids)


def test_unit_rows_have_length_one_whatever_their_size_and_a_row_of_zeros_stays():
    x = np.array([[3, 4], [0, 0], [3e30, 4e30], [3e-30, 4e-30]], dtype="float32")
    assert vc.prepare_rows(x, how="unit").x == pytest.approx(
        np.array([[0.6, 0.8], [0, 0], [0.6, 0.8], [0.6, 0.8]])
    )


@pytest.mark.parametrize("n", [40, 8])  # more rows than dimensions, and fewer
def test_principal_components_are_those_of_scikit_learn_at_unit_length(n):
    from sklearn.decomposition import PCA

    x = make_rows(n).astype("float64")
    ours = vc.prepare_rows(x, how="pca", n_components=4).x
    theirs = PCA(4, svd_solver="full").fit_transform(x)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    signs = np.sign((ours * theirs).sum(axis=0))
    # float32 rows of length one.
    assert ours == pytest.approx(theirs * signs, abs=1e-5)


def test_a_small_corpus_has_as_many_components_as_it_can():
    assert vc.prepare_rows(make_rows(5), how="pca").x.shape == (5, 4)
    assert np.isfinite(vc.prepare_rows(make_rows(2), how="pca").x).all()


@pytest.mark.parametrize("how", ["unit", "pca", "umap"])
@pytest.mark.parametrize("x", [make_rows(1), np.ones((7, 3), dtype="float32"), np.zeros((3, 2))])
def test_one_image_and_images_that_cannot_be_told_apart_get_equal_finite_rows(how, x):
    rows = vc.prepare_rows(x, how=how).x
    assert len(rows) == len(x)
    assert np.isfinite(rows).all()
    assert (rows == rows[0]).all()


def test_too_few_images_for_umap_get_unit_length_and_the_record_says_so(capsys):
    x = make_rows(13)
    prepared = vc.prepare_rows(x, how="umap")
    assert prepared.how == "unit"
    assert np.array_equal(prepared.x, vc.prepare_rows(x, how="unit").x)
    assert "13 different images are too few for UMAP" in capsys.readouterr().out
    assert prepared.provenance["parameters"]["how"] == "umap"
    assert prepared.provenance["parameters"]["done"] == "unit"


@pytest.mark.slow  # umap-learn compiles its functions anew in each process
def test_umap_with_one_seed_gives_the_same_rows_and_copies_share_a_place():
    x = np.concatenate([make_rows(), make_rows()[:40], make_rows()[:40]])
    first, second, other = (vc.prepare_rows(x, how="umap", seed=seed, progress=False) for seed in (1, 1, 2))
    assert first.x.shape == (140, 5)
    assert first.x.dtype == np.float32
    assert np.array_equal(first.x, second.x)
    assert not np.array_equal(first.x, other.x)
    assert np.array_equal(first.x[:40], first.x[60:100])
    assert 0 < first.placement["median_error"] < first.placement["error_90"]


def test_rows_with_gaps_are_refused_before_any_work():
    x = make_rows()
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="the first is row 3"):
        vc.prepare_rows(x, how="umap")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"how": "tsne"}, "none, unit, pca, umap"),
        ({"how": "unit", "n_components": 3}, "n_components only with"),
        ({"how": "pca", "n_components": 0}, "n_components"),
        ({"how": "umap", "n_neighbors": 1}, "n_neighbors"),
        ({"how": "umap", "min_dist": 2}, "min_dist from 0 to 1"),
        ({"how": "umap", "seed": -1}, "seed"),
        ({"image_ids": ["a"]}, "an id for each of the 60 rows"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(wrong, message):
    with pytest.raises(ValueError, match=message):
        vc.prepare_rows(make_rows(), **wrong)


@pytest.mark.parametrize("how", ["none", "unit", "pca"])
def test_new_rows_get_exactly_what_they_would_have_got_also_from_plain_files(how, embedding, tmp_path):
    prepared = vc.prepare_rows(embedding, how=how)
    vc.save_embedding(prepared, tmp_path, name="rows")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.json", "rows.npy"]
    loaded = vc.load_embedding(tmp_path, name="rows", image_ids=embedding.image_ids)
    assert (loaded.how, loaded.image_ids) == (how, embedding.image_ids)
    for each in (prepared, loaded):
        again = vc.apply_preparation(embedding.x[7:20], each, image_ids=embedding.image_ids[7:20])
        # The rounding of a product of other shape is all that may differ.
        assert again.x == pytest.approx(prepared.x[7:20], abs=1e-6)
        assert again.image_ids == embedding.image_ids[7:20]


@pytest.mark.usefixtures("_quick_umap")
def test_new_rows_go_to_the_mean_place_of_the_nearest_rows(embedding, tmp_path, capsys):
    vc.save_embedding(vc.prepare_rows(embedding, how="umap"), tmp_path, name="rows")
    prepared = vc.load_embedding(tmp_path, name="rows")
    new = embedding.x[:2].copy()
    new[1] = -new[1]  # unlike all
    placed = vc.apply_preparation(new, prepared, trained_on=embedding)
    unit = vc.prepare_rows(embedding, how="unit").x
    nearest = np.argsort(-unit @ unit[0])[:5]
    assert placed.x[0] == pytest.approx(prepared.x[nearest].mean(axis=0), abs=1e-6)
    assert placed.placement["new_rows_far"] == 0.5
    assert "1 of 2 new images are unlike" in capsys.readouterr().out


@pytest.mark.usefixtures("_quick_umap")
def test_the_error_of_a_place_leaves_the_row_itself_out(embedding):
    prepared = vc.prepare_rows(embedding, how="umap", n_components=12)
    assert prepared.placement["measured_rows"] == 60
    unit = vc.prepare_rows(embedding, how="unit").x
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = np.argsort(-likeness, axis=1)[:, :5]
    errors = np.linalg.norm(unit[nearest].mean(axis=1) - unit, axis=1)
    ratio = prepared.placement["error_90"] / prepared.placement["median_error"]
    assert ratio == pytest.approx(np.quantile(errors, 0.9) / np.median(errors), rel=1e-4)


@pytest.mark.usefixtures("_quick_umap")
def test_umap_s_new_rows_need_the_rows_of_then(embedding):
    prepared = vc.prepare_rows(embedding, how="umap")
    with pytest.raises(ValueError, match="Expected trained_on"):
        vc.apply_preparation(embedding.x[:2], prepared)
    with pytest.raises(ValueError, match="got others"):
        vc.apply_preparation(embedding.x[:2], prepared, trained_on=embedding.x + 1)
    with pytest.raises(ValueError, match="new rows of 12 values"):
        vc.apply_preparation(embedding.x[:2, :3], prepared, trained_on=embedding)


def test_new_rows_of_another_encoder_are_refused(embedding):
    with pytest.raises(ValueError, match="new rows of 12 values"):
        vc.apply_preparation(embedding.x[:, :3], vc.prepare_rows(embedding, how="pca"))


def test_rows_of_unknown_images_are_not_saved(tmp_path):
    prepared = vc.prepare_rows(make_rows(seed=99), how="unit")
    assert prepared.image_ids is None
    with pytest.raises(ValueError, match="prepared without ids"):
        vc.save_embedding(prepared, tmp_path, name="rows")


def test_a_damaged_preparation_is_refused(embedding, tmp_path):
    vc.save_embedding(vc.prepare_rows(embedding, how="pca"), tmp_path, name="rows")
    path = tmp_path / "rows.json"
    path.write_text(path.read_text().replace('"how": "pca"', '"how": "magic"'))
    with pytest.raises(ValueError, match=r"is damaged .*prepare the rows again"):
        vc.load_embedding(tmp_path, name="rows")
