from visclust.images.copies import (
    add_copies as add_copies,
    leave_out_copies as leave_out_copies,
)
from visclust.images.duplicates import (
    combine_duplicates as combine_duplicates,
    find_duplicates as find_duplicates,
    map_to_representatives as map_to_representatives,
    score_duplicates as score_duplicates,
)
from visclust.images.hashes import hash_images as hash_images
from visclust.images.index import (
    index_images as index_images,
    select_usable as select_usable,
)
from visclust.images.thumbnails import (
    encode_cluster_thumbnails as encode_cluster_thumbnails,
    show_thumbnail_rows as show_thumbnail_rows,
)
