import hashlib
import json
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from killed_runs import kill_once
from PIL import Image
from small_encoders import MeanColours, colour_encoder, to_tensor

import visclust as vc
from visclust.base import backend, machine
from visclust.embedding.encoders import EncoderChoice
from visclust.images.batches import iterate_batches, list_files
from visclust.images.reading import read_image


def make_folder(folder, count):
    """Write images of one size whose mean red is their number in the order of the paths."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (4, 4), (number, 255 - number, 7)).save(folder / f"{number:03}.png")
    return vc.index_images(folder, progress=False)


@pytest.fixture
def corpus(tmp_path):
    return make_folder(tmp_path / "corpus", 10)


def embed(images, encoder=None, **options):
    options = {"batch_size": 2, "device": "cpu", "progress": False, **options}
    return vc.embed_images(images, encoder=encoder or colour_encoder(), **options)


def test_there_is_one_float32_row_per_usable_image_in_their_order(corpus):
    result = embed(corpus)
    assert result.x.dtype == np.float32
    assert result.x.flags["C_CONTIGUOUS"]
    assert result.x.tolist() == [[number, 255 - number, 7] for number in range(10)]
    assert result.image_ids == corpus["image_id"].tolist()


def test_duplicates_and_unreadable_files_have_no_row(tmp_path):
    folder = tmp_path / "corpus"
    make_folder(folder, 3)
    (folder / "000_copy.png").write_bytes((folder / "000.png").read_bytes())
    (folder / "page.jpg").write_text("<html>")
    images = vc.index_images(folder, progress=False)
    assert sorted(images["status"]) == ["duplicate", "ok", "ok", "ok", "unreadable"]
    assert embed(images).x[:, 0].tolist() == [0, 1, 2]


def test_the_order_is_that_of_the_table_and_the_table_is_left_as_it_was(corpus):
    turned = corpus.iloc[::-1]
    before = turned.copy()
    assert embed(turned).x[:, 0].tolist() == list(range(9, -1, -1))
    pd.testing.assert_frame_equal(turned, before)


def test_the_bytes_do_not_depend_on_the_number_of_workers(corpus, lite0):
    images = corpus.head(6)
    expected = embed(images, lite0, batch_size=4, workers=2).x.tobytes()
    differing = [
        workers
        for workers in (0, 1, 5)
        if embed(images, lite0, batch_size=4, workers=workers).x.tobytes() != expected
    ]
    assert differing == []


def test_a_row_equals_the_network_applied_to_the_image_by_hand(corpus, lite0):
    tensor = lite0.transform(read_image(corpus["path"][3])).unsqueeze(0)
    with torch.inference_mode():
        by_hand = lite0.module(tensor)[0].numpy()
    # In another batch size the same float32 sums may be taken in another order.
    np.testing.assert_allclose(embed(corpus.head(4), lite0).x[3], by_hand, rtol=1e-3, atol=1e-5)


def test_an_encoder_by_name_and_an_encoder_choice_are_recorded(corpus):
    images = corpus.head(2)
    options = {"batch_size": 8, "device": "cpu", "progress": False}
    choice = EncoderChoice("efficientnet_lite0", "resnet18 was out of reach")
    record = vc.embed_images(images, encoder=choice, **options).provenance
    assert record["parameters"]["encoder"] == "efficientnet_lite0"
    assert record["parameters"]["encoder_reason"] == "resnet18 was out of reach"
    assert record["parameters"]["weights_digest"].startswith("57934424")
    assert record["parameters"]["batch_size"] == 8
    assert record["device"] == "cpu"
    assert record["versions"]["torch"]
    assert json.loads(json.dumps(record)) == record
    named = vc.embed_images(images, encoder="efficientnet_lite0", **options).provenance
    assert named["parameters"]["encoder_reason"] == "asked for by name"
    assert named["inputs"] == record["inputs"]


def test_finished_chunks_are_not_computed_again(corpus, tmp_path):
    whole = embed(corpus).x
    first = colour_encoder()
    assert embed(corpus, first, chunk_size=4, cache=tmp_path / "cache").x.tobytes() == whole.tobytes()
    assert first.module.batches == [2, 2, 2, 2, 2]
    chunk = sorted((tmp_path / "cache").rglob("*.npy"))[0]
    rows = len(np.load(chunk))
    chunk.unlink()
    second = colour_encoder()
    assert embed(corpus, second, chunk_size=4, cache=tmp_path / "cache").x.tobytes() == whole.tobytes()
    assert sum(second.module.batches) == rows


def test_chunks_of_other_settings_are_never_used(corpus, tmp_path):
    cache = tmp_path / "cache"
    embed(corpus, cache=cache)
    for changed in ({"batch_size": 5}, {"fast_decoding": False}):
        other = colour_encoder()
        embed(corpus, other, cache=cache, **changed)
        assert sum(other.module.batches) == 10
    other = colour_encoder()._replace(source={"encoder": "mean colours", "weights_digest": "other"})
    embed(corpus, other, cache=cache)
    assert sum(other.module.batches) == 10


def test_chunks_before_added_images_are_still_used(tmp_path):
    cache = tmp_path / "cache"
    embed(make_folder(tmp_path / "corpus", 8), chunk_size=4, cache=cache)
    grown = colour_encoder()
    assert len(embed(make_folder(tmp_path / "corpus", 10), grown, chunk_size=4, cache=cache).x) == 10
    assert sum(grown.module.batches) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_damaged_chunk_is_made_again(corpus, tmp_path, damage):
    cache = tmp_path / "cache"
    expected = embed(corpus, chunk_size=4, cache=cache).x
    for chunk in cache.rglob("*.npy"):
        if damage is None:
            np.save(chunk, np.zeros((1, 3), dtype=np.float32))
        else:
            chunk.write_bytes(damage)
    assert embed(corpus, chunk_size=4, cache=cache).x.tobytes() == expected.tobytes()


KILLED_RUN = """
import sys
import torch
from small_encoders import colour_encoder, to_tensor
import visclust as vc

read = []

def to_tensor_and_wait(image):
    read.append(1)
    if len(read) > 20:
        sys.stdin.read()
    return to_tensor(image)

folder, cache, threads = sys.argv[1:]
# The same number of threads as in the test: it is one of the settings that chunks are kept apart by.
torch.set_num_threads(int(threads))
images = vc.index_images(folder, progress=False)
encoder = colour_encoder()._replace(transform=to_tensor_and_wait)
options = {"batch_size": 2, "chunk_size": 2, "device": "cpu", "workers": 0, "progress": False}
vc.embed_images(images, encoder=encoder, cache=cache, **options)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_run_continues_and_gives_the_same_bytes(tmp_path):
    folder, cache = tmp_path / "corpus", tmp_path / "cache"
    images = make_folder(folder, 60)
    kill_once(
        lambda: len(list(cache.rglob("*.npy"))) >= 3, KILLED_RUN, folder, cache, torch.get_num_threads()
    )
    finished = {path: path.read_bytes() for path in cache.rglob("*.npy")}
    assert 3 <= len(finished) <= 10
    continued = colour_encoder()
    assert embed(images, continued, cache=cache, chunk_size=2).x.tobytes() == embed(images).x.tobytes()
    # What was there was used as it was, and the rest was added beside it.
    assert sum(continued.module.batches) == 60 - 2 * len(finished)
    assert finished.items() <= {path: path.read_bytes() for path in cache.rglob("*.npy")}.items()
    assert len(list(cache.rglob("*.npy"))) == 30


def test_chunks_of_a_real_network_have_the_bytes_of_a_run_without_them(corpus, tmp_path, lite0):
    images, cache = corpus.head(4), tmp_path / "cache"
    expected = embed(images, lite0).x.tobytes()
    assert embed(images, lite0, chunk_size=2, cache=cache).x.tobytes() == expected
    next(cache.rglob("*.npy")).unlink()
    assert embed(images, lite0, chunk_size=2, cache=cache).x.tobytes() == expected


def test_a_file_that_changed_is_named_and_finished_chunks_are_kept(tmp_path, corpus):
    cache = tmp_path / "cache"
    path = Path(corpus["path"][9])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=rf"{path} .*bytes have changed.* Run index_images again"):
        embed(corpus, chunk_size=4, cache=cache)
    assert len(list(cache.rglob("*.npy"))) == 2


def test_a_file_that_cannot_be_decoded_or_goes_away_meanwhile_is_named(corpus):
    path = Path(corpus["path"][9])
    path.write_text("<html>")
    image_id = hashlib.sha256(b"<html>").hexdigest()[:32]
    said_to_be_fine = corpus.assign(image_id=[*corpus["image_id"][:9], image_id])
    with pytest.raises(ValueError, match=rf"{path} .*not an image.* Run index_images again"):
        embed(said_to_be_fine)

    def transform(image):
        path.unlink(missing_ok=True)
        return to_tensor(image)

    with pytest.raises(ValueError, match=rf"{path} .*No such file.* Run index_images again"):
        embed(said_to_be_fine, colour_encoder()._replace(transform=transform), workers=0)


def test_another_image_under_the_same_name_is_not_embedded_under_the_old_id(corpus):
    Image.new("RGB", (4, 4), "white").save(corpus["path"][0])
    with pytest.raises(ValueError, match="its bytes have changed"):
        embed(corpus)


def test_bad_input_is_refused_before_the_encoder_is_loaded(corpus, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("the encoder was loaded")

    monkeypatch.setattr("visclust.embedding.encoders.load_encoder", fail)

    def refused(images, match, error=ValueError, **options):
        with pytest.raises(error, match=match):
            vc.embed_images(images, progress=False, **options)

    refused(corpus.drop(columns="path"), "path is missing")
    refused([1, 2], "pandas DataFrame", error=TypeError)
    refused(corpus.assign(status="unreadable"), "at least one image with status 'ok'")
    refused(corpus.assign(image_id="a"), "one row with status 'ok' per image")
    refused(corpus, "batch_size to be a whole number", batch_size=0)
    refused(corpus, "workers to be a whole number", workers=-1)
    refused(corpus, "multiple of batch_size", batch_size=4, chunk_size=6)
    gone = corpus.assign(path=corpus["path"] + ".gone")
    refused(gone, "10 of them are not there; the first is .*000.png.gone", error=FileNotFoundError)


def test_an_encoder_of_the_wrong_kind_or_with_weights_beside_it_is_refused(corpus):
    with pytest.raises(TypeError, match="encoder to be a text or an EncoderChoice or an Encoder"):
        embed(corpus, encoder=7)
    with pytest.raises(ValueError, match="with a loaded encoder"):
        embed(corpus, weights="a.pth")


def test_features_that_are_not_finite_are_an_error_that_names_the_image(corpus):
    encoder = colour_encoder()
    encoder.module.scale.data.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"gave others for 10 images; the first is .*000\.png"):
        embed(corpus, encoder)


def test_the_bar_shows_images_per_second_and_starts_at_what_is_done(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("visclust.base.progress.DELAY", 0)  # or so short a run shows none
    embed(corpus, chunk_size=4, cache=tmp_path / "cache", progress=True)
    assert "image/s" in capsys.readouterr().err
    embed(corpus, chunk_size=4, cache=tmp_path / "cache", progress=True)
    assert "10/10" in capsys.readouterr().err
    embed(corpus)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("overlap", "ahead"), [(True, 2 * 2 + 1), (False, 0)])
def test_only_a_few_images_are_decoded_ahead_and_none_where_the_network_takes_all_cores(
    tmp_path, overlap, ahead
):
    files = list_files(make_folder(tmp_path / "corpus", 60))
    read = []

    def transform(image):
        read.append(1)
        return to_tensor(image)

    options = {"batch_size": 2, "transform": transform, "min_side": None}
    batches = []
    for number, batch in enumerate(iterate_batches(files, workers=3, overlap=overlap, **options)):
        # The batches at hand, and two batches ahead at most, whatever the number of images.
        assert len(read) - 2 * (number + 1) <= ahead
        assert batch.is_contiguous(memory_format=torch.channels_last)  # or the network would copy it
        batches.append(batch)
    assert len(read) == 60
    assert torch.equal(torch.cat(batches), torch.cat(list(iterate_batches(files, workers=0, **options))))


def test_a_network_on_the_cpu_does_not_run_beside_decoding_threads(corpus):
    read, waiting = [], []

    def transform(image):
        read.append(1)
        return to_tensor(image)

    class Watching(MeanColours):
        def forward(self, batch):
            waiting.append(len(read) - sum(self.batches) - len(batch))
            return super().forward(batch)

    embed(corpus, colour_encoder()._replace(transform=transform, module=Watching()), workers=3)
    assert waiting == [0] * 5


def test_little_memory_means_one_worker(monkeypatch):
    monkeypatch.setattr("visclust.base.machine.memory_at_hand", lambda: 2 * 2**30)
    assert machine.choose_workers() == 1


def test_auto_says_once_that_there_is_no_gpu_and_gpu_is_an_error(corpus, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    backend._announce.cache_clear()
    options = {"encoder": "efficientnet_lite0", "progress": False}
    for _ in range(2):
        assert vc.embed_images(corpus.head(1), **options).provenance["device"] == "cpu"
    assert capsys.readouterr().out.count("Encoders run on the CPU") == 1
    with pytest.raises(RuntimeError, match='device="gpu" was asked for'):
        vc.embed_images(corpus, device="gpu", **options)


@pytest.mark.gpu
def test_a_gpu_gives_nearly_the_same_features_and_the_same_bytes_each_time(corpus):
    if not torch.cuda.is_available():
        pytest.skip("torch sees no GPU")
    options = {"encoder": "efficientnet_lite0", "progress": False}
    on_gpu = vc.embed_images(corpus, device="gpu", **options)
    on_cpu = vc.embed_images(corpus, device="cpu", **options)
    assert on_gpu.provenance["device"].startswith("gpu: ")
    assert on_gpu.x.tobytes() == vc.embed_images(corpus, device="gpu", **options).x.tobytes()
    cosine = (
        (on_gpu.x * on_cpu.x).sum(1) / np.linalg.norm(on_gpu.x, axis=1) / np.linalg.norm(on_cpu.x, axis=1)
    )
    # A GPU multiplies in TF32, with 10 bits after the point.
    assert cosine.min() > 0.999


def test_a_network_in_training_gives_what_it_gives_in_evaluation_and_stays_in_training(corpus):
    encoder = colour_encoder()
    dropout = torch.nn.Dropout(0.5).eval()
    module = torch.nn.Sequential(encoder.module, dropout)
    expected = embed(corpus, encoder._replace(module=module.eval())).x
    module.train()
    dropout.eval()  # a part that its user froze
    assert np.array_equal(embed(corpus, encoder._replace(module=module)).x, expected)
    assert module.training
    assert not dropout.training


def test_little_memory_means_small_batches_and_the_record_says_so(corpus, monkeypatch):
    for memory, size in ((2**31, 8), (2**35, 32)):
        monkeypatch.setattr(machine, "memory_at_hand", lambda memory=memory: memory)
        made = embed(corpus, batch_size=None)
        assert made.provenance["parameters"]["batch_size"] == size
