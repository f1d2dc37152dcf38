from visclust.sampling.estimates import estimate_corpus as estimate_corpus
from visclust.sampling.label_guesses import guess_labels as guess_labels
from visclust.sampling.label_plan import plan_labels as plan_labels
from visclust.sampling.plan import plan_annotation as plan_annotation
from visclust.sampling.plots import (
    plot_annotation_cost as plot_annotation_cost,
    plot_label_cost as plot_label_cost,
    plot_sample_coverage as plot_sample_coverage,
)
from visclust.sampling.samples import (
    compare_samples as compare_samples,
    draw_random_sample as draw_random_sample,
    draw_stratified_sample as draw_stratified_sample,
    summarize_samples as summarize_samples,
)
