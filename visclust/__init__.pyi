from visclust import (
    annotation as annotation,
    base as base,
    clustering as clustering,
    corpus as corpus,
    embedding as embedding,
    exploration as exploration,
    finetuning as finetuning,
    images as images,
    ratings as ratings,
    sampling as sampling,
    scale as scale,
    survey as survey,
    validation as validation,
    widgets as widgets,
)
from visclust.annotation import *
from visclust.base import *
from visclust.check import check_study as check_study
from visclust.clustering import *
from visclust.corpus import *
from visclust.embedding import *
from visclust.example import load_example as load_example
from visclust.exploration import *
from visclust.finetuning import *
from visclust.images import *
from visclust.launch import (
    install_missing as install_missing,
    results_folder as results_folder,
    suggest_settings as suggest_settings,
)
from visclust.methods import write_methods as write_methods
from visclust.preregistration import write_preregistration as write_preregistration
from visclust.ratings import *
from visclust.sampling import *
from visclust.scale import *
from visclust.stages import (
    check_needs as check_needs,
    choose_rating_model as choose_rating_model,
    gather_accounts as gather_accounts,
    gather_answers as gather_answers,
    gather_copies as gather_copies,
    gather_feature_answers as gather_feature_answers,
    gather_frame_answers as gather_frame_answers,
    gather_frames as gather_frames,
    gather_ideology as gather_ideology,
    gather_looks as gather_looks,
    gather_pair_design as gather_pair_design,
    gather_pairs as gather_pairs,
    gather_ratings as gather_ratings,
    gather_respondents as gather_respondents,
    list_known_groups as list_known_groups,
    make_empty_table as make_empty_table,
    read_results as read_results,
    try_analysis as try_analysis,
)
from visclust.study import open_study as open_study
from visclust.survey import *
from visclust.validation import *
from visclust.waiting import wait_for_results as wait_for_results
from visclust.widgets import *

__version__: str
