from visclust.clustering.choose_k import (
    scan_k as scan_k,
    suggest_knee as suggest_knee,
)
from visclust.clustering.clusters import (
    assign_clusters as assign_clusters,
    assign_nearest as assign_nearest,
    cluster_once as cluster_once,
    list_decisions as list_decisions,
    list_k_curve as list_k_curve,
    pick_cluster_rows as pick_cluster_rows,
    summarize_clusters as summarize_clusters,
)
from visclust.clustering.consensus import (
    add_consensus as add_consensus,
    find_consensus as find_consensus,
)
from visclust.clustering.diagnostics import diagnose_clusters as diagnose_clusters
from visclust.clustering.goodness import measure_goodness as measure_goodness
from visclust.clustering.grid import grid_search as grid_search
from visclust.clustering.iterative import cluster_iteratively as cluster_iteratively
from visclust.clustering.kmeans import fit_kmeans as fit_kmeans
from visclust.clustering.model_files import (
    load_cluster_model as load_cluster_model,
    save_cluster_model as save_cluster_model,
)
from visclust.clustering.new_images import (
    assign_new as assign_new,
    make_cluster_model as make_cluster_model,
    measure_drift as measure_drift,
)
from visclust.clustering.plots import (
    plot_cluster_sizes as plot_cluster_sizes,
    plot_drift as plot_drift,
    plot_grid as plot_grid,
    plot_iterations as plot_iterations,
    plot_k_curve as plot_k_curve,
    plot_k_scan as plot_k_scan,
    plot_run_agreement as plot_run_agreement,
    plot_theme_stability as plot_theme_stability,
)
from visclust.clustering.repeats import repeat_over_seeds as repeat_over_seeds
from visclust.clustering.runs import (
    compare_runs as compare_runs,
    match_clusters as match_clusters,
)
from visclust.clustering.silhouette_kinds import score_clusters as score_clusters
from visclust.clustering.silhouettes import silhouette_samples as silhouette_samples
