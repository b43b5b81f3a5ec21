"""Compute what many minutes of video need, from measured figures: cores, memory, storage, network, cost.

python benchmarks/scale.py [--minutes 1000000] [--languages 6] [--days 30] [--figures docs/scale.json]
python benchmarks/scale.py --measure VIDEO AUDIO --figures mine.json [--weights g4g-small]

The second line measures the figures on this machine, on one core. Prices are no figures of ours: they are flags, and
their defaults only say how the parts compare.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from g4g.avatar.library import MOST_BYTES

FIGURES = Path(__file__).resolve().parent.parent / "docs" / "scale.json"
_GB, _TB = 1e9, 1e12
_HOUR_S, _DAY_S = 3600.0, 86_400.0
NETWORKS = ("motion", "paint")
"""Stages of a dub that a GPU takes over; all others stay with the cores."""


@dataclass(frozen=True)
class Figures:
    """Measured on one core of `machine` with one video.

    Attributes:
        look_s: core seconds per frame of the video for all that does not depend on the sound: the avatar.
        dub_s: core seconds per frame of a dub from the avatar.
        network_share: of a dub, in stages that a GPU would take over; stages run side by side, so it is a share of
            their sum.
        avatar_bytes, video_bytes, dub_bytes: per frame; the avatar's with the video in it, without pictures of mouths.
        library_bytes: of the pictures of mouths, per frame, until they are MOST_BYTES (g4g.avatar.library).
        worker_bytes: highest memory of a worker.
    """

    machine: str
    video: str
    look_s: float
    dub_s: float
    network_share: float
    avatar_bytes: float
    library_bytes: float
    video_bytes: float
    dub_bytes: float
    worker_bytes: float


@dataclass(frozen=True)
class Work:
    """What is to be done, and what things cost; prices in any one currency."""

    minutes: float = 1_000_000.0
    """Of video, all together."""
    video_minutes: float = 10.0
    """Length of one video."""
    languages: int = 6
    """Dubs of each video."""
    fps: float = 25.0
    days: float = 30.0
    """Until all is done."""
    busy: float = 0.8
    """Share of the time in which a core works: the rest is loading, waiting, and tries that failed."""
    core_hour: float = 0.03
    """Price of a core for an hour, its memory included."""
    gb_month: float = 0.02
    """Price of storing a gigabyte for a month."""
    gb_moved: float = 0.0
    """Price of moving a gigabyte between store and workers."""
    link_gbit_s: float = 10.0
    """Of the store to all workers together."""


@dataclass(frozen=True)
class Needs:
    """What the work needs; without avatars each dub looks at its video anew."""

    frames: float
    core_hours_look: float
    core_hours_dub: float
    core_hours_without_avatars: float
    cores: float
    memory_bytes: float
    video_bytes: float
    avatar_bytes: float
    dub_bytes: float
    moved_bytes: float
    gbit_s: float
    most_cores: float
    gpu_speedup_limit: float
    cost_cores: float
    cost_storage: float
    cost_network: float


def compute_needs(figures: Figures, work: Work) -> Needs:
    """Compute what the work needs.

    The avatar of each video is made once and read once per language; it holds the video, so the video itself is read
    once. `most_cores` is how many workers the link feeds: beyond it the network is the bottleneck.
    """
    seen = work.minutes * 60 * work.fps
    made = seen * work.languages
    look, dub = (seconds / _HOUR_S for seconds in (seen * figures.look_s, made * figures.dub_s))
    core_hours = (look + dub) / work.busy
    available_s = work.days * _DAY_S
    cores = core_hours * _HOUR_S / available_s
    library = min(figures.library_bytes * work.video_minutes * 60 * work.fps, MOST_BYTES)
    videos, dubs = seen * figures.video_bytes, made * figures.dub_bytes
    avatars = seen * figures.avatar_bytes + library * work.minutes / work.video_minutes
    moved = videos + avatars + avatars * work.languages + dubs
    per_core_s = moved / (core_hours * _HOUR_S)
    stored = (videos + avatars + dubs) / _GB
    return Needs(
        frames=made, core_hours_look=look / work.busy, core_hours_dub=dub / work.busy,
        core_hours_without_avatars=(look * work.languages + dub) / work.busy, cores=cores,
        memory_bytes=cores * figures.worker_bytes, video_bytes=videos, avatar_bytes=avatars, dub_bytes=dubs,
        moved_bytes=moved, gbit_s=8 * moved / available_s / 1e9,
        most_cores=work.link_gbit_s * 1e9 / 8 / per_core_s,
        gpu_speedup_limit=1 / (1 - figures.network_share), cost_cores=core_hours * work.core_hour,
        cost_storage=stored * work.gb_month * work.days / 30, cost_network=moved / _GB * work.gb_moved,
    )  # fmt: skip


def format_needs(needs: Needs, work: Work) -> str:
    """Lay the needs out as a Markdown table."""
    saved = 1 - (needs.core_hours_look + needs.core_hours_dub) / needs.core_hours_without_avatars
    total = needs.cost_cores + needs.cost_storage + needs.cost_network
    share = lambda part: f"{part:,.0f} ({100 * part / total:.0f} %)" if total else "0"  # noqa: E731
    rows = {
        f"frames dubbed ({work.minutes:,.0f} min, {work.languages} languages)": f"{needs.frames:.3g}",
        "core hours, videos looked at once": f"{needs.core_hours_look:,.0f}",
        "core hours, dubs": f"{needs.core_hours_dub:,.0f}",
        "saved by avatars that all languages share": f"{100 * saved:.0f} % of {needs.core_hours_without_avatars:,.0f}",
        f"cores for {work.days:g} days": f"{needs.cores:,.0f}",
        "memory of their workers": f"{needs.memory_bytes / _TB:.1f} TB",
        "storage: videos, avatars, dubs": ", ".join(
            f"{part / _TB:.1f}" for part in (needs.video_bytes, needs.avatar_bytes, needs.dub_bytes)
        )
        + " TB",
        "moved between store and workers": f"{needs.moved_bytes / _TB:.1f} TB, {needs.gbit_s:.2f} Gbit/s all the time",
        f"workers that {work.link_gbit_s:g} Gbit/s feed": f"{needs.most_cores:,.0f}",
        "a GPU for the networks makes a dub faster by at most": f"{needs.gpu_speedup_limit:.1f}",
        "cost: cores, storage, network": ", ".join(
            map(share, (needs.cost_cores, needs.cost_storage, needs.cost_network))
        ),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def measure(video: Path, audio: Path, weights: str) -> Figures:
    """Measure the figures with one video and one sound, on one core."""
    core = sorted(os.sched_getaffinity(0))[0]
    os.sched_setaffinity(0, {core})
    for name in ("OMP_NUM_THREADS", "G4G_THREADS"):
        os.environ[name] = "1"
    os.environ["G4G_CACHE"] = ""
    import torch

    from g4g.dubbing import Dubber
    from g4g.media import probe

    torch.set_num_threads(1)
    dubber = Dubber.from_pretrained(weights)
    with tempfile.TemporaryDirectory() as folder:
        avatar, out = Path(folder) / "one.avatar", Path(folder) / "out.mp4"
        dubber.dub(video, audio, out, dry_run=True)  # the networks are compiled before the clock runs
        started = _cpu_s()
        known = dubber.make_avatar(video, avatar)
        frames = len(known.tracks)
        look_s = (_cpu_s() - started) / frames
        library = sum(person.library.crops.nbytes for person in known.persons.values())
        started = _cpu_s()
        report = dubber.dub(avatar, audio, out)
        dub_s = (_cpu_s() - started) / report.frames
        networks = sum(seconds for stage, seconds in report.seconds.items() if stage in NETWORKS)
        info = probe(video)
        return Figures(
            machine=_name_processor(), video=f"{info.width} x {info.height}, {frames} frames", look_s=look_s,
            dub_s=dub_s, network_share=networks / sum(report.seconds.values()),
            avatar_bytes=(avatar.stat().st_size - library) / frames,
            library_bytes=library / frames, video_bytes=video.stat().st_size / frames,
            dub_bytes=out.stat().st_size / report.frames,
            worker_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        )  # fmt: skip


def _cpu_s() -> float:
    """Processor seconds of this process and its ended children, such as the encoder."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def _name_processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    """Parse, measure or compute, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs=2, type=Path, metavar=("VIDEO", "AUDIO"))
    parser.add_argument("--figures", type=Path, default=FIGURES, help="JSON of measured figures (%(default)s)")
    parser.add_argument("--weights", default="g4g-small", help="measured ones (%(default)s)")
    for field in fields(Work):
        kind = int if field.name == "languages" else float
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    options = parser.parse_args()
    if options.measure:
        figures = measure(*options.measure, options.weights)
        options.figures.write_text(json.dumps(asdict(figures), indent=2) + "\n")
    figures = Figures(**json.loads(options.figures.read_text()))
    work = Work(**{field.name: getattr(options, field.name) for field in fields(Work)})
    print(json.dumps(asdict(figures), indent=2), format_needs(compute_needs(figures, work), work), sep="\n\n")


if __name__ == "__main__":
    main()
