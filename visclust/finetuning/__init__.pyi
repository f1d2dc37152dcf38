from visclust.finetuning.fit import finetune as finetune
from visclust.finetuning.labels import list_trainable_features as list_trainable_features
from visclust.finetuning.plots import (
    plot_feature_scores as plot_feature_scores,
    plot_training as plot_training,
)
