"""Explore, cluster, sample and annotate large image corpora.

Everything that the notebooks call is here: ``import visclust as vc``. A name's module is imported when
the name is first used, so that importing the package is quick and needs no GPU library.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "accounts": ("describe_accounts",),
    "annotation_plan": ("plan_annotation",),
    "annotator_agreement": ("agreement",),
    "answer_pages": (
        "export_pair_page",
        "import_answers",
    ),
    "answers": (
        "current_answers",
        "merge_answers",
        "read_answers",
    ),
    "assignment": ("assign_respondents",),
    "assignment_checks": (
        "check_assignment",
        "describe_assignment",
    ),
    "backend": (
        "describe_device",
        "to_device",
        "to_host",
    ),
    "channel_figure": (
        "plot_channels",
        "split_channels",
    ),
    "charts": ("show_charts",),
    "cluster_contrasts": ("contrast_clusters",),
    "cluster_descriptions": (
        "describe_clusters",
        "rank_clusters",
    ),
    "cluster_notes": ("read_cluster_notes",),
    "cluster_pages": ("export_cluster_page",),
    "cluster_plots": (
        "plot_cluster_sizes",
        "plot_iterations",
        "plot_k_curve",
        "plot_sample_coverage",
    ),
    "cluster_scores": ("score_clusters",),
    "cluster_tables": (
        "list_k_curve",
        "pick_cluster_rows",
        "summarize_clusters",
    ),
    "cluster_thumbnails": ("encode_cluster_thumbnails",),
    "clusters": (
        "assign_clusters",
        "assign_nearest",
        "cluster_once",
    ),
    "comparison": ("compare_configurations",),
    "consensus": ("find_consensus",),
    "contrast_plots": (
        "plot_cluster_contrasts",
        "plot_party_means",
    ),
    "contrast_power": ("power_for_contrast",),
    "corpus": (
        "index_images",
        "link_posts",
        "select_usable",
    ),
    "corpus_estimates": ("estimate_corpus",),
    "corpus_plots": (
        "plot_images_per_day",
        "plot_lorenz",
    ),
    "corpus_summary": ("describe_corpus",),
    "cross_validation": ("cross_validate",),
    "duplicate_groups": ("map_to_representatives",),
    "duplicate_scores": ("score_duplicates",),
    "duplicates": (
        "combine_duplicates",
        "find_duplicates",
    ),
    "embedding": ("embed_images",),
    "embedding_figure": (
        "list_embedding_values",
        "plot_embedding_values",
    ),
    "embedding_files": (
        "list_embeddings",
        "load_embedding",
        "save_embedding",
    ),
    "emotion_plots": ("plot_emotion_heatmap",),
    "emotion_summaries": (
        "summarize_emotions",
        "tabulate_emotion_heatmap",
    ),
    "encoders": (
        "choose_encoder",
        "list_encoders",
        "load_encoder",
    ),
    "example": ("load_example",),
    "factor_check": ("confirm_factors",),
    "feature_labels": ("aggregate_labels",),
    "files": ("write_atomically",),
    "finetune_plots": (
        "plot_feature_scores",
        "plot_training",
    ),
    "finetuning": ("finetune",),
    "frame_labels": ("label_posts",),
    "frame_plots": (
        "plot_frame_effects",
        "plot_frame_use",
    ),
    "frame_tests": ("test_frame_use",),
    "goodness": ("measure_goodness",),
    "grid": ("grid_search",),
    "grid_plots": ("plot_grid",),
    "group_contrasts": ("compare_groups",),
    "image_pages": (
        "export_feature_page",
        "export_rating_page",
    ),
    "hashtag_plots": ("plot_hashtag_spans",),
    "hashtags": ("track_hashtags",),
    "image_uses": (
        "count_image_uses",
        "plot_image_uses",
    ),
    "iterative": ("cluster_iteratively",),
    "iterative_comparison": ("compare_iterative_with_single",),
    "kmeans": ("fit_kmeans",),
    "known_groups": ("score_against_groups",),
    "launch": (
        "install_missing",
        "results_folder",
        "suggest_settings",
    ),
    "map_plot": ("plot_map",),
    "map_tables": ("describe_map",),
    "mixed_contrast": ("fit_mixed_contrast",),
    "neighbours": ("list_neighbours",),
    "overrepresented_words": (
        "list_overrepresented_words",
        "weigh_log_odds",
    ),
    "pair_scores": ("score_pairs",),
    "pair_toy": (
        "plot_pair_toy",
        "score_pair_toy",
    ),
    "pairs": (
        "blind_pairs",
        "sample_pairs",
    ),
    "perceptual_hashes": ("hash_images",),
    "posts": ("read_posts",),
    "projection": ("project_map",),
    "provenance": ("describe_run",),
    "rating_answers": ("read_rating_answers",),
    "rating_coverage": (
        "compare_with_truth",
        "measure_coverage",
    ),
    "rating_model": (
        "RatingModel",
        "draw_cluster_effects",
    ),
    "resolution": ("resolve",),
    "run_agreement": ("compare_runs",),
    "run_plots": (
        "plot_run_agreement",
        "plot_theme_stability",
    ),
    "sampling": (
        "compare_samples",
        "draw_random_sample",
        "draw_stratified_sample",
        "summarize_samples",
    ),
    "sampling_plots": ("plot_annotation_cost",),
    "scale_reliability": ("measure_reliability",),
    "scan": (
        "plot_k_scan",
        "scan_k",
        "suggest_knee",
    ),
    "silhouettes": ("silhouette_samples",),
    "simulated_answers": ("simulate_answers",),
    "simulated_features": ("simulate_features",),
    "simulated_ratings": (
        "expect_contrasts",
        "simulate_ratings",
    ),
    "survey_export": ("export_survey",),
    "survey_import": ("read_ratings",),
    "survey_people": ("drop_respondents",),
    "tables": (
        "check_table",
        "read_provenance",
        "read_table",
        "save_table",
    ),
    "theme_matching": ("match_clusters",),
    "thumbnail_rows": ("show_thumbnail_rows",),
    "typical_images": ("list_typical_images",),
    "validation_plots": (
        "plot_iterative_against_single",
        "plot_precision_recall",
    ),
    "widgets.browse_clusters": ("browse_clusters",),
    "widgets.label_features": ("label_features",),
    "widgets.label_pairs": ("label_pairs",),
    "widgets.linked_map": ("link_map",),
    "widgets.rate_images": ("rate_images",),
    "word_plots": ("plot_words",),
    "word_splitting": ("split_words",),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list of text all the same
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'visclust' has no attribute {name!r}")
    value = getattr(import_module(f"visclust.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
