from visclust import (
    annotation as annotation,
    base as base,
    clustering as clustering,
    corpus as corpus,
    embedding as embedding,
    exploration as exploration,
    finetuning as finetuning,
    images as images,
    sampling as sampling,
    validation as validation,
    widgets as widgets,
)
from visclust.annotation import *
from visclust.answer_pages import export_pair_page as export_pair_page
from visclust.assignment import assign_respondents as assign_respondents
from visclust.assignment_checks import (
    check_assignment as check_assignment,
    describe_assignment as describe_assignment,
)
from visclust.base import *
from visclust.cluster_contrasts import contrast_clusters as contrast_clusters
from visclust.cluster_pages import export_cluster_page as export_cluster_page
from visclust.clustering import *
from visclust.contrast_plots import (
    plot_cluster_contrasts as plot_cluster_contrasts,
    plot_party_means as plot_party_means,
)
from visclust.contrast_power import power_for_contrast as power_for_contrast
from visclust.corpus import *
from visclust.embedding import *
from visclust.emotion_plots import plot_emotion_heatmap as plot_emotion_heatmap
from visclust.emotion_summaries import (
    summarize_emotions as summarize_emotions,
    tabulate_emotion_heatmap as tabulate_emotion_heatmap,
)
from visclust.example import load_example as load_example
from visclust.exploration import *
from visclust.factor_check import confirm_factors as confirm_factors
from visclust.finetuning import *
from visclust.group_contrasts import compare_groups as compare_groups
from visclust.image_pages import (
    export_feature_page as export_feature_page,
    export_rating_page as export_rating_page,
)
from visclust.images import *
from visclust.launch import (
    install_missing as install_missing,
    results_folder as results_folder,
    suggest_settings as suggest_settings,
)
from visclust.mixed_contrast import fit_mixed_contrast as fit_mixed_contrast
from visclust.rating_coverage import (
    compare_with_truth as compare_with_truth,
    measure_coverage as measure_coverage,
)
from visclust.rating_model import (
    RatingModel as RatingModel,
    draw_cluster_effects as draw_cluster_effects,
)
from visclust.sampling import *
from visclust.scale_reliability import measure_reliability as measure_reliability
from visclust.simulated_ratings import (
    expect_contrasts as expect_contrasts,
    simulate_ratings as simulate_ratings,
)
from visclust.survey_export import export_survey as export_survey
from visclust.survey_import import read_ratings as read_ratings
from visclust.survey_people import drop_respondents as drop_respondents
from visclust.validation import *
from visclust.widgets import *

__version__: str
