from visclust.scale.counts import count_shards as count_shards
from visclust.scale.dask_workers import open_workers as open_workers
from visclust.scale.plan import plan_scale as plan_scale
from visclust.scale.run import (
    check_shards as check_shards,
    read_parts as read_parts,
    run_shards as run_shards,
)
from visclust.scale.sharded_clusters import cluster_shards as cluster_shards
from visclust.scale.shards import (
    make_shards as make_shards,
    open_shards as open_shards,
)
