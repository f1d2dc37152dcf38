"""Workers of Dask: the same results as here, also when one dies, and within the memory that they may take."""

import builtins

import numpy as np
import pytest
from dask_tasks import kill_self, kill_self_once, measure_peak
from sklearn.metrics import adjusted_rand_score

import visclust as vc
from visclust.scale import dask_workers
from visclust.scale.executors import Executor, WorkerDiedError, open_executor
from visclust.scale.row_files import find_row_files, open_rows
from visclust.scale.sharded_kmeans import fit_shards

distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")


@pytest.fixture(scope="module")
def client():
    with vc.open_workers(workers=2, memory="700MB") as client:
        yield client


def make_corpus(place, n=900, shard_size=150, folder="corpus"):
    rng = np.random.default_rng(2)
    x = (rng.normal(size=(9, 6))[rng.integers(0, 9, n)] * 3 + rng.normal(size=(n, 6))).astype("float32")
    np.save(place / "centers.npy", x[:4])
    return vc.make_shards(x, place / folder, shard_size=shard_size, progress=False)


def fit(corpus, executor):
    rows = open_rows(find_row_files(corpus, executor), executor)
    return fit_shards(rows, np.arange(len(rows)), 7, seed=0, start_size=300, executor=executor)


@pytest.mark.slow
def test_the_centres_are_the_same_bits_for_1_2_and_8_workers(client, tmp_path):
    corpus = make_corpus(tmp_path)
    one = fit(corpus, Executor())
    with open_executor(client) as executor:
        two = fit(corpus, executor)
    cluster = distributed.LocalCluster(
        n_workers=8, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as many, open_executor(many) as executor:
        assert executor.workers == 8
        eight = fit(corpus, executor)
    assert one.centers.tobytes() == two.centers.tobytes() == eight.centers.tobytes()
    assert one.labels.tobytes() == two.labels.tobytes() == eight.labels.tobytes()


@pytest.mark.slow
def test_parts_and_clusters_are_the_same_as_here_and_a_rerun_does_nothing(client, tmp_path):
    written, labels = [], []
    for way in ("here", client):
        folder = tmp_path / str(len(written))
        folder.mkdir()
        corpus = make_corpus(folder)
        options = {"centers": folder / "centers.npy", "on": way, "progress": False}
        assert set(vc.run_shards(corpus, "assign", **options)["status"]) == {"made"}
        assert set(vc.run_shards(corpus, "assign", **options)["status"]) == {"there"}
        result = vc.cluster_shards(corpus, sample_size=60, stop_size=300, on=way, progress=False)
        labels.append(result.labels)
        files = [path for path in corpus.folder.rglob("*") if path.is_file()]
        written.append({path.relative_to(corpus.folder): path.read_bytes() for path in files})
    assert labels[0].tolist() == labels[1].tolist()
    assert written[0] == written[1]


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_changes_nothing(client, tmp_path):
    corpus = make_corpus(tmp_path)
    calm = fit(corpus, Executor())
    with open_executor(client) as executor:
        slow = executor.map(kill_self_once, [(str(tmp_path / "killed"), i) for i in range(6)])
        assert list(slow) == [i * i for i in range(6)]
        assert (tmp_path / "killed").exists()
        found = fit(corpus, executor)
    assert found.centers.tobytes() == calm.centers.tobytes()
    assert adjusted_rand_score(found.labels, calm.labels) == 1


@pytest.mark.slow
def test_a_task_that_kills_every_worker_ends_in_words(client):
    scheduler = client.cluster.scheduler
    scheduler.allowed_failures = 1  # two deaths instead of four
    try:
        with open_executor(client) as executor, pytest.raises(WorkerDiedError, match=r"2 times.*memory"):
            list(executor.map(kill_self, [()]))
    finally:
        scheduler.allowed_failures = 3


@pytest.mark.slow
def test_a_worker_keeps_within_its_memory_on_four_times_as_much(client, tmp_path):
    # 4 x 90 MB in one shard each, read a block of 8 MB at a time; a worker of 700 MB starts with some 250.
    x = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(360_000, 256))
    x[::1000] = np.random.default_rng(0).normal(size=(360, 256))
    corpus = vc.make_shards(x, tmp_path / "corpus", shard_size=90_000, progress=False)
    with open_executor(client) as executor:
        fit(make_corpus(tmp_path, folder="small"), executor)  # so that a worker has loaded what it runs
        before = max(executor.map(measure_peak, [(i,) for i in range(4)]))
        rows = open_rows(find_row_files(corpus, executor), executor)
        fit_shards(rows, np.arange(len(rows)), 5, seed=0, start_size=500, executor=executor)
        after = max(executor.map(measure_peak, [(i,) for i in range(4)]))
    assert x.nbytes > 4 * 90e6
    assert after - before < 90e6
    assert after < 700e6


@pytest.mark.slow
def test_addresses_are_shown(capsys):
    with vc.open_workers(workers=1, dashboard=True) as client:
        said = capsys.readouterr().out
        assert f"1 workers of Dask at {client.scheduler.address}. Dashboard: http://127.0.0.1:" in said
        with vc.open_workers(client.scheduler.address) as other:
            assert other.scheduler.address == client.scheduler.address


def test_nobody_at_an_address_and_settings_of_another_cluster_are_refused(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no"), vc.open_workers(tmp_path / "scheduler.json"):
        pass
    with pytest.raises(ValueError, match="memory to be an amount"), vc.open_workers(memory="much"):
        pass
    with pytest.raises(ValueError, match="its own"), vc.open_workers("tcp://127.0.0.1:1", workers=2):
        pass

    def refuse(name, *args, **kwargs):
        if name in ("distributed", "bokeh"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with (
        pytest.raises(dask_workers.MissingDaskError, match=r"pip install 'visclust\[dask\]'"),
        vc.open_workers(),
    ):
        pass
