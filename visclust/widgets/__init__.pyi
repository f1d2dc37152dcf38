from visclust.widgets.browse_clusters import browse_clusters as browse_clusters
from visclust.widgets.label_features import label_features as label_features
from visclust.widgets.label_pairs import label_pairs as label_pairs
from visclust.widgets.linked_map import link_map as link_map
from visclust.widgets.rate_images import rate_images as rate_images
