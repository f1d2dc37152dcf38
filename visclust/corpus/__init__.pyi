from visclust.corpus.accounts import describe_accounts as describe_accounts
from visclust.corpus.hashtags import track_hashtags as track_hashtags
from visclust.corpus.links import (
    link_posts as link_posts,
    list_unmatched as list_unmatched,
)
from visclust.corpus.plots import (
    plot_hashtag_spans as plot_hashtag_spans,
    plot_image_uses as plot_image_uses,
    plot_images_per_day as plot_images_per_day,
    plot_lorenz as plot_lorenz,
)
from visclust.corpus.posts import read_posts as read_posts
from visclust.corpus.summary import (
    count_image_uses as count_image_uses,
    describe_corpus as describe_corpus,
)
