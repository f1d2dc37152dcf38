from umap import layouts, umap_

from visclust.base.compiled import keep_compiled


def test_what_the_map_compiles_is_kept_on_disk():
    keep_compiled()
    kept = [umap_.smooth_knn_dist, umap_.compute_membership_strengths, layouts.clip]
    assert all(part.stats.cache_path for part in kept)


def test_a_version_without_such_a_part_is_no_fault(monkeypatch):
    monkeypatch.delattr(umap_, "smooth_knn_dist")
    keep_compiled()
