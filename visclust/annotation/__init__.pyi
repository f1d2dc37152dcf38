from visclust.annotation.answer_import import import_answers as import_answers
from visclust.annotation.answers import (
    current_answers as current_answers,
    merge_answers as merge_answers,
    read_answers as read_answers,
)
from visclust.annotation.constructs import (
    EMOTIONS as EMOTIONS,
    FEATURES as FEATURES,
)
from visclust.annotation.features import aggregate_labels as aggregate_labels
from visclust.annotation.judgements import (
    agreement as agreement,
    resolve as resolve,
    select_disagreements as select_disagreements,
)
from visclust.annotation.ratings import read_rating_answers as read_rating_answers
from visclust.annotation.simulated import (
    simulate_answers as simulate_answers,
    simulate_features as simulate_features,
)
