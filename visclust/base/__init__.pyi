from visclust.base.backend import (
    describe_device as describe_device,
    to_device as to_device,
    to_host as to_host,
)
from visclust.base.charts import show_charts as show_charts
from visclust.base.figure_files import save_figure as save_figure
from visclust.base.files import write_atomically as write_atomically
from visclust.base.freshness import StaleError as StaleError
from visclust.base.provenance import describe_run as describe_run
from visclust.base.tables import (
    check_table as check_table,
    read_provenance as read_provenance,
    read_table as read_table,
    save_csv as save_csv,
    save_table as save_table,
)
from visclust.base.withdrawals import leave_out_withdrawn as leave_out_withdrawn
