import numpy as np
import pytest
import torch
from trainings import make_settings

from visclust.finetuning.batches import CachedBatches
from visclust.finetuning.network import TrainedNetwork
from visclust.finetuning.training import (
    Checkpoint,
    _take_snapshot,
    read_checkpoint,
    train_network,
    write_checkpoint,
)


class FailingSource(CachedBatches):
    """Gives numbers without end from the third epoch on."""

    def iterate(self, batches, *, epoch):
        for batch in super().iterate(batches, epoch=epoch):
            yield batch * float("inf") if epoch == 3 else batch


def test_a_training_that_diverges_ends_with_the_weights_of_the_epoch_before():
    targets, held = np.array([[1.0], [0.0]] * 4), np.arange(8) > 5
    values = torch.arange(8.0).reshape(1, 8, 1)
    runs, heads = [], []
    for source, epochs in ((FailingSource(values, seed=0), 5), (CachedBatches(values, seed=0), 2)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = torch.nn.Linear(1, 1)
        network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), head, "")
        settings = make_settings(epochs=epochs, batch_size=4)
        run = train_network(
            network, source, targets, held=held, settings=settings, start=None, save=len, progress=False
        )
        runs.append(run)
        heads.append(head)
    assert runs[0].stop_reason.startswith("diverged in epoch 3: the loss was no longer a finite number")
    assert "the weights are those after epoch 2" in runs[0].stop_reason
    assert len(runs[0].curve) == len(runs[1].curve) == 2
    assert runs[1].stop_reason == "all 2 epochs were trained"
    assert torch.equal(heads[0].weight, heads[1].weight)


def test_a_feature_learns_as_fast_among_many_as_alone():
    values = torch.arange(8.0).reshape(1, 8, 1) / 8
    target, held = np.array([[1.0], [0.0]] * 4), np.arange(8) > 5
    rows = []
    for copies in (1, 5):
        head = torch.nn.Linear(1, copies)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), head, "")
        train_network(
            network,
            CachedBatches(values, seed=0),
            np.tile(target, copies),
            held=held,
            settings=make_settings(epochs=4, batch_size=4),
            start=None,
            save=len,
            progress=False,
        )
        rows.append(torch.cat([head.weight[-1], head.bias[-1:]]).tolist())
    assert rows[0] == pytest.approx(rows[1], rel=1e-5)  # float32 sums in another order


def test_a_snapshot_has_weights_and_after_a_step_momentum():
    network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), torch.nn.Linear(1, 2), "")
    optimizer = torch.optim.SGD(network.head.parameters(), lr=0.1, momentum=0.9)
    assert list(_take_snapshot(network, optimizer)) == ["head.weight", "head.bias"]
    network.head(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    assert list(_take_snapshot(network, optimizer))[2:] == ["momentum.head.weight", "momentum.head.bias"]


def test_a_checkpoint_comes_back_for_its_own_training_alone(tmp_path):
    path = tmp_path / "mine.checkpoint.safetensors"
    assert read_checkpoint(path, digest="abc") is None
    write_checkpoint(path, Checkpoint({"head.bias": torch.ones(2)}, {"epoch": 3}), digest="abc")
    read = read_checkpoint(path, digest="abc")
    assert read.record == {"epoch": 3}
    assert read.tensors["head.bias"].tolist() == [1, 1]
    assert read_checkpoint(path, digest="other") is None
    path.write_bytes(path.read_bytes()[:20])
    assert read_checkpoint(path, digest="abc") is None
