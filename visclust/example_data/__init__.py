"""The example corpus that `visclust.load_example` reads, and the scripts that made it."""
