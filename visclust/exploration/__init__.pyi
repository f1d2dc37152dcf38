from visclust.exploration.descriptions import (
    describe_clusters as describe_clusters,
    list_typical_images as list_typical_images,
    rank_clusters as rank_clusters,
)
from visclust.exploration.frame_use import (
    model_frame_use as model_frame_use,
    test_frame_use as test_frame_use,
)
from visclust.exploration.frames import label_posts as label_posts
from visclust.exploration.maps import (
    describe_map as describe_map,
    plot_map as plot_map,
    project_map as project_map,
)
from visclust.exploration.notes import read_cluster_notes as read_cluster_notes
from visclust.exploration.plots import (
    plot_frame_effects as plot_frame_effects,
    plot_frame_use as plot_frame_use,
    plot_words as plot_words,
)
from visclust.exploration.post_samples import (
    draw_post_sample as draw_post_sample,
    join_post_labels as join_post_labels,
)
from visclust.exploration.words import (
    list_overrepresented_words as list_overrepresented_words,
    split_words as split_words,
    weigh_log_odds as weigh_log_odds,
)
