from visclust.widgets.browser import browse_clusters as browse_clusters
from visclust.widgets.cluster_page import export_cluster_page as export_cluster_page
from visclust.widgets.labeller import (
    label_features as label_features,
    label_pairs as label_pairs,
    rate_images as rate_images,
)
from visclust.widgets.labelling_pages import (
    export_feature_page as export_feature_page,
    export_pair_page as export_pair_page,
    export_rating_page as export_rating_page,
)
from visclust.widgets.linked_map import link_map as link_map
