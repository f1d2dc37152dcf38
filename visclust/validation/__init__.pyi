from visclust.validation.comparison import (
    compare_configurations as compare_configurations,
    compare_iterative_with_single as compare_iterative_with_single,
    list_comparable as list_comparable,
)
from visclust.validation.cross_validation import cross_validate as cross_validate
from visclust.validation.known_groups import score_against_groups as score_against_groups
from visclust.validation.label_errors import (
    estimate_label_errors as estimate_label_errors,
    explain_label_error as explain_label_error,
    score_under_errors as score_under_errors,
)
from visclust.validation.pair_design import design_pairs as design_pairs
from visclust.validation.pair_plan import plan_pairs as plan_pairs
from visclust.validation.pairs import (
    blind_pairs as blind_pairs,
    sample_pairs as sample_pairs,
)
from visclust.validation.plots import (
    plot_iterative_against_single as plot_iterative_against_single,
    plot_precision_recall as plot_precision_recall,
)
from visclust.validation.scores import score_pairs as score_pairs
from visclust.validation.second_look import (
    merge_looks as merge_looks,
    select_for_review as select_for_review,
)
from visclust.validation.seed_agreement import compare_seeds as compare_seeds
from visclust.validation.toy import (
    plot_pair_toy as plot_pair_toy,
    score_pair_toy as score_pair_toy,
)
from visclust.validation.waves import keep_answered_pairs as keep_answered_pairs
