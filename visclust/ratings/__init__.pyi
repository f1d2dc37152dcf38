from visclust.ratings.cluster_contrasts import contrast_clusters as contrast_clusters
from visclust.ratings.equivalence import assess_equivalence as assess_equivalence
from visclust.ratings.exclusions import compare_exclusions as compare_exclusions
from visclust.ratings.factors import add_invariance as add_invariance, confirm_factors as confirm_factors
from visclust.ratings.group_contrasts import compare_groups as compare_groups
from visclust.ratings.mixed_model import fit_mixed_contrast as fit_mixed_contrast
from visclust.ratings.plots import (
    plot_cluster_contrasts as plot_cluster_contrasts,
    plot_emotion_heatmap as plot_emotion_heatmap,
    plot_group_means as plot_group_means,
    plot_party_means as plot_party_means,
)
from visclust.ratings.power import power_for_contrast as power_for_contrast
from visclust.ratings.reliability import measure_reliability as measure_reliability
from visclust.ratings.simulation import (
    RatingModel as RatingModel,
    compare_with_truth as compare_with_truth,
    draw_cluster_effects as draw_cluster_effects,
    expect_contrasts as expect_contrasts,
    make_rating_model as make_rating_model,
    measure_coverage as measure_coverage,
    simulate_ratings as simulate_ratings,
)
from visclust.ratings.summaries import (
    summarize_emotions as summarize_emotions,
    tabulate_emotion_heatmap as tabulate_emotion_heatmap,
)
