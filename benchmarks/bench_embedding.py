"""How close `embed_images` comes to the bare forward pass on tensors that are ready.

The bare pass is the encoder's own module in inference mode, on float32 batches of 32 that lie in memory
already, channels last, with torch's own number of threads: the very network that `embed_images` runs, given
what it is given. End to end adds to it: reading and hashing each file, decoding, resizing, scaling, stacking.

The two run in turns, the bare pass before and after, so that other work on the machine touches both alike;
the ratio is taken per turn. On a busy machine the wall clock says little, since a program with more threads
gets more of the cores, and torch's threads wait for each other in a busy loop, which counts as processor
time. So each turn says how many cores other programs took (on Linux); those with more than `--quiet` are
also left out.

Before that the processor's time of each step, on one core, in alternating turns: the forward pass, and beside
it the digest, decoding by Pillow as `embed_images` does it, by simplejpeg where it is installed, at an eighth
of the size (nearly all of that is entropy decoding, which no decoder is spared), and the transform. The ratio
that follows from these is about that of an idle machine, whoever else is at work.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from visclust.base.provenance import digest_file
from visclust.embedding.embed import embed_images
from visclust.embedding.encoders import Encoder, load_encoder
from visclust.embedding.networks import TORCHVISION_ENCODERS
from visclust.images.batches import ImageFile, iterate_batches
from visclust.images.index import index_images
from visclust.images.reading import read_image


def make_jpegs(folder: Path, count: int, width: int, height: int) -> None:
    """Write JPEGs whose spectrum falls as 1/f, and with little colour, like photographs."""
    generator = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / max(width, height))
    for number in range(count):
        planes = []
        for strength in (45, 12, 12):
            noise = generator.normal(size=falling.shape) + 1j * generator.normal(size=falling.shape)
            plane = np.fft.irfft2(noise * falling, s=(height, width))
            planes.append(128 + strength * plane / plane.std())
        pixels = np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)
        Image.fromarray(pixels, "YCbCr").convert("RGB").save(folder / f"{number:04}.jpg", quality=85)


def prepare_encoder(name: str, folder: Path) -> Encoder:
    """Load the encoder; torchvision's with random weights, since the time does not depend on their values."""
    if name not in TORCHVISION_ENCODERS:
        return load_encoder(name)
    from torchvision import models

    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(models.get_model(name, weights=None).state_dict(), path)
    return load_encoder(name, weights=path)


def list_costs(encoder: Encoder, paths: list[Path], batch: torch.Tensor, turns: int = 5) -> None:
    """Print what each step takes of one core per image, and the ratio that follows."""
    images = {path: read_image(path, min_side=encoder.min_side) for path in paths}
    steps: dict[str, Callable[[Path], object]] = {
        "digest": digest_file,
        "decoding": lambda path: read_image(path, min_side=encoder.min_side),
        "decoding at an eighth": lambda path: read_image(path, min_side=min(images[path].size) // 4),
        "transform": lambda path: encoder.transform(images[path]),
    }
    try:
        import simplejpeg
    except ImportError:
        print("simplejpeg is not installed, and left out.")
    else:
        width, height = images[paths[0]].size
        steps["decoding by simplejpeg, same size"] = lambda path: simplejpeg.decode_jpeg(
            path.read_bytes(), "RGB", min_width=width, min_height=height
        )
    times: dict[str, list[float]] = {name: [] for name in ("forward", *steps)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(turns):
        times["forward"].append(measure(lambda: run_bare(encoder, [batch]))[1] / len(batch))
        for name, step in steps.items():
            work = [*paths]
            times[name].append(measure(lambda step=step, work=work: [*map(step, work)])[1] / len(work))
    torch.set_num_threads(threads)
    middle = {name: 1000 * statistics.median(each) for name, each in times.items()}
    listed = ", ".join(f"{name} {took:.1f}" for name, took in middle.items())
    print(f"{encoder.name}, ms of one core per image: {listed}")
    spent = middle["digest"] + middle["decoding"] + middle["transform"]
    least = middle["decoding at an eighth"]
    print(
        f"  ratio from these {middle['forward'] / (middle['forward'] + spent):.2f}; with decoding at an "
        f"eighth alone {middle['forward'] / (middle['forward'] + least):.2f}"
    )


def run_bare(encoder: Encoder, batches: list[torch.Tensor]) -> None:
    with torch.inference_mode():
        for batch in batches:
            encoder.module(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 768), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--encoders", nargs="+", default=["resnet18", "efficientnet_lite0"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quiet", type=float, default=0.1, help="cores that others may take in a turn")
    parser.add_argument("--workers", type=int, nargs="+", default=[-1], help="-1: what embed_images chooses")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_jpegs(folder, options.images, *options.size)
        images = index_images(folder, progress=False)
        kilobytes = statistics.mean(path.stat().st_size for path in folder.glob("*.jpg")) / 1024
        print(
            f"{len(images)} JPEGs of {options.size[0]} x {options.size[1]} ({kilobytes:.0f} kB each), "
            f"{os.cpu_count()} cores, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}"
        )
        for encoder_name in options.encoders:
            compare(prepare_encoder(encoder_name, folder), images, options)


def compare(encoder: Encoder, images, options: argparse.Namespace) -> None:
    files = [ImageFile(*row) for row in zip(images["image_id"], images["path"], strict=True)]
    steps = {"batch_size": 32, "transform": encoder.transform, "min_side": encoder.min_side, "workers": 2}
    # The same 128 ready tensors again and again: all of them at once would not fit a small machine.
    ready = [
        batch.contiguous(memory_format=torch.channels_last) for batch in iterate_batches(files[:128], **steps)
    ]
    batches = [ready[number % len(ready)] for number in range(-(-len(files) // 32))]
    batches[-1] = batches[-1][: len(files) % 32 or 32]
    run_bare(encoder, batches[:2])
    list_costs(encoder, [Path(file.path) for file in files[:32]], batches[0])

    for workers in options.workers:
        turns = []
        for _ in range(options.turns):
            before = measure(lambda: run_bare(encoder, batches))
            whole = measure(
                lambda workers=workers: embed_images(
                    images, encoder=encoder, workers=None if workers < 0 else workers, progress=False
                )
            )
            after = measure(lambda: run_bare(encoder, batches))
            bare = [(one + other) / 2 for one, other in zip(before[:2], after[:2], strict=True)]
            others = max(before[2], whole[2], after[2])
            turns.append(
                (bare[0] / whole[0], bare[1] / whole[1], len(files) / bare[0], len(files) / whole[0], others)
            )
        quiet = [turn for turn in turns if turn[-1] <= options.quiet]
        print(
            f"{encoder.name}, workers {'default' if workers < 0 else workers}: {len(quiet)} of "
            f"{options.turns} turns were quiet"
        )
        for kind, chosen in (("quiet", quiet), ("all", turns)):
            if chosen:
                wall, processor, bare_speed, whole_speed, others = zip(*chosen, strict=True)
                print(
                    f"  {kind}: wall-clock ratio {spread(wall)}; processor-time ratio {spread(processor)}; "
                    f"images/s bare {spread(bare_speed)}, end to end {spread(whole_speed)}; cores taken by "
                    f"others {spread(others)}",
                    flush=True,
                )


def measure(work: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds on the wall clock, seconds of processor time over all threads, and cores that others took."""
    busy, wall, processor = read_busy_seconds(), time.perf_counter(), time.process_time()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return wall, processor, max(0.0, (read_busy_seconds() - busy - processor) / wall)


def read_busy_seconds() -> float:
    """Processor time of all programs since the machine started; 0 where the system does not tell."""
    counts = Path("/proc/stat")
    if not counts.exists():
        return 0.0
    user, nice, system, _idle, _waiting, *rest = map(int, counts.read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def spread(values: Sequence[float]) -> str:
    digits = 2 if max(values) < 10 else 1
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} (min {low:.{digits}f}, max {high:.{digits}f})"


if __name__ == "__main__":
    main()
