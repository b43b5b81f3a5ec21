"""Settings: one home for the API's arguments, the command line's flags and their defaults.

A field made by `g4g.settings.setting` is also a flag of the command line (`g4g.cli.flags`); one with a plain default is
for the API alone. The text below a field explains the argument, `help` explains the flag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from g4g.config import EMPHASIS, MOST_EMPHASIS
from g4g.errors import ConfigError
from g4g.settings import check_types, setting

DEFAULT_WEIGHTS = "g4g-small"
"""The shipped weights that dub where none are named."""
TINY_WEIGHTS = "g4g-tiny"
"""Seeded random networks, for tests."""
TINY_LIVE_WEIGHTS = "g4g-tiny-live"
"""Such networks that can be streamed: their speech encoder hears little of what comes later."""
FACE_BACKENDS = ("mediapipe", "face-alignment")
"""What can find faces."""
FACES = FACE_BACKENDS[0]
"""The face backend that is used where none is named."""
JUDGE_WEIGHTS = "g4g-judge"
"""The shipped weights that score sync."""
CROP_PX = 192
"""Side of a stored crop: what 720p clips show of a face, and half as much again as the small networks see."""
WORKERS = 2
"""Processes that prepare videos side by side."""
ENGINES = ("local", "ray")
"""Where the workers of a batch run."""
LEAST_WORKER_MB = 1536
"""With less memory no worker of a batch gets as far as its first frame."""
NETWORK_ENGINES = ("auto", "torch", "openvino", "onnx")
"""What can run networks; docs/engine.md tells how far they are apart."""
PRECISIONS = ("32-true", "bf16-mixed")
"""Precisions of training, as Lightning Fabric names them."""
PRECISION_HELP = "bf16-mixed: half as fast again on CPUs with bfloat16, far slower on others (%(default)s)"


_Options = TypeVar("_Options")

SPEAKER = "speaker"
FACE_RULES = (SPEAKER, "left", "right", "largest")
"""Ways to choose a face in each scene; a number or a place names one person instead."""


def parse_face(face: str | int | tuple[float, float] | None) -> str | int | tuple[float, float]:
    """Read a choice of face: SPEAKER, another name of FACE_RULES, a number, or a pixel (x, y).

    Raises:
        ConfigError: it is none of these.
    """
    if face is None:
        return SPEAKER
    words = face.strip().split(",") if isinstance(face, str) else face if isinstance(face, tuple) else (face,)
    try:
        if len(words) == 2:
            return float(words[0]), float(words[1])
        if words[0] in FACE_RULES:
            return str(words[0])
        (number,) = words
        return int(number)
    except ValueError:
        raise ConfigError(f"`face` must be {', '.join(FACE_RULES)}, a number, or x,y in pixels; got {face!r}") from None


@dataclass(frozen=True)
class LoadOptions:
    """Which networks work, and where."""

    weights: str | Path = setting(DEFAULT_WEIGHTS, "name of shipped weights, or a file (%(default)s)")
    """A shipped name, or a weight file."""
    faces: str = setting(FACES, "face backend: mediapipe or face-alignment (%(default)s)")
    """What finds faces and their points."""
    device: str = setting("cpu", "auto, cpu, cuda, mps (%(default)s)")
    """Where the networks run; "auto": an accelerator where there is one."""
    engine: str = setting(
        "auto", "what runs the networks; auto is openvino on the CPU, torch elsewhere (%(default)s)",
        choices=NETWORK_ENGINES,
    )  # fmt: skip
    """What runs the large networks; "auto" is OpenVINO on the CPU, torch elsewhere."""

    def __post_init__(self) -> None:
        check_types(self)
        check_backend(self.faces)


@dataclass(frozen=True)
class Lesson:
    """How long, and from what, a person is learnt before the dub."""

    minutes: float = 0.0
    """Of learning, shared out among the persons that are dubbed; 0: none."""
    data: Path | None = None
    """Other people's prepared data, replayed against forgetting."""
    folder: Path | None = None
    """For the state of the learning, which goes on from what lies there; None: a temporary one."""

    def __post_init__(self) -> None:
        if not self.minutes >= 0:
            raise ConfigError(f"a person is learnt for 0 minutes (not at all) or more, got {self.minutes:g}")


@dataclass(frozen=True)
class DubOptions:
    """What can be asked of a dub beside video, sound and output."""

    face: str | int | tuple[float, float] | None = setting(
        None, metavar="WHO",
        help="left, right, largest, a number that g4g faces shows, or x,y: a pixel of the face (in each scene the one "
        "that speaks)",
    )  # fmt: skip
    """Who is dubbed. "speaker", which None takes: in each scene (from one cut to the next) whose mouth is largest,
    moves most and fits the video's own sound best; a face that is alone, always. "left", "right" (of the picture),
    "largest": also chosen anew in each scene. A number, as `Dubber.list_faces` gives them, or a pixel (x, y) inside
    the face: this person wherever seen, and nobody else."""
    speakers: dict[int, str | Path] = setting(
        dict, flag="--speaker", action="append", metavar="N=SOUND",
        help="the sound of face N, once per speaker; without --audio they are heard together",
    )  # fmt: skip
    """Number of a face -> its own sound, all starting together; instead of `face` and `voice`."""
    length: str = setting(
        "audio", "whose length the result has; a short video plays to and fro (%(default)s)", choices=("audio", "video")
    )
    """With "audio" the video is cut to the sound, or plays to and fro until the sound ends; with "video" the sound is
    cut, or followed by silence."""
    voice: str | Path | None = setting(None, "what the lips say, where --audio has music or noise beside it")
    """What the lips say, where the sound that is heard has more than it (music, noise). They start together; where they
    do not last equally long, what is heard counts: the lips rest after a shorter voice, a longer one is cut."""
    start_s: float | None = setting(None, "second of the video at which the sound starts", flag="--start", metavar="S")
    """Where in the video the sound starts; before it all stays as it is, and the length is "video"."""
    end_s: float | None = setting(None, "second at which it is cut; the rest stays as it is", flag="--end", metavar="S")
    """Where the sound is cut; after it all stays as it is. None, with a start: where the sound ends."""
    mix: str = setting(
        "replace", "remove the old sound meanwhile, leave it beneath, or lower it under speech (%(default)s)",
        choices=("replace", "keep", "duck"),
    )  # fmt: skip
    """What becomes of the video's own sound meanwhile: "replace" removes it, "keep" leaves it beneath the new one,
    "duck" lowers it while the new one speaks."""
    emphasis: float = setting(EMPHASIS, "how far the mouth moves, 0 to 2.5 (%(default)s)", metavar="E")
    """How far the mouth moves, times how far it goes in the video with its own sound: 0 to MOST_EMPHASIS."""
    codec: str | None = setting(None, "h264, hevc, vp9, av1 or prores, as the container allows (its usual one)")
    """h264, hevc, vp9, av1 or prores, as the container allows; None takes its first."""
    crf: int | None = setting(None, "the codec's own quality, 0 is best (h264 18, hevc 20, others 24)")
    """Quality on the codec's own scale, 0 is best; None takes our choice."""
    tolerant: bool = setting(False, "use what can be read of a damaged video")
    """Use what can be read of a damaged video, and say so; otherwise a fault is an error."""
    overwrite: bool = setting(False, "replace an existing output", flag="--force")
    """Replace an existing output."""
    dry_run: bool = setting(False, "look for the face and tell what would be done")
    """Look for the face and report what would be done, but write nothing."""
    sheet: str | Path | None = setting(
        None, "draw a contact sheet, .png or the like: source above dubbed, mouths enlarged", metavar="PNG"
    )
    """Picture to draw (.png or the like), source above dubbed; an old one is replaced."""
    provenance: bool = setting(True, "leave out what says that the lips were made by a machine", flag="--no-provenance")
    """Sign a C2PA manifest into the output, or beside it where the container can hold none, and tag its metadata."""
    watermark: bool = setting(
        False, "also mark the picture itself, all pixels by about 2 of 255, which lasts when a platform encodes anew"
    )
    """Add a mark to all pixels of all frames (about 2 of 255 levels), which lasts when the video is made smaller and
    encoded anew; `inspect(file, watermark=True)` looks for it. It says "dubbed by g4g" and nothing else."""
    sign: tuple[str | Path, str | Path] | None = setting(
        None, "certificate chain and its key (PEM) to sign with (a self-made one)", nargs=2, metavar=("CERT", "KEY")
    )
    """Certificate chain and private key, two PEM files; None takes one that is made at the first use."""
    adapt_minutes: float = setting(
        0.0, "learn the person from the video itself so long first; kept for its next dub; Ctrl-C dubs with the best "
        "so far (%(default)s)", flag="--adapt", metavar="MINUTES",
    )  # fmt: skip
    """Learn the person from the video itself for so long, then dub; what was learnt is kept, so that the next dub of
    this video needs no time for it. Ctrl-C ends learning, and the best so far dubs."""
    adapt_data: str | Path | None = setting(
        None, "other people's data from g4g prepare, against forgetting while the person is learnt", metavar="DIR"
    )
    """Other people's data (`g4g prepare`), half of what is learnt from, against forgetting."""
    apart_s: float = 0.0
    """Pictures of the video nearer than this to the frame that is shown are not used: to measure how good dubs are with
    the video's own sound."""

    def __post_init__(self) -> None:
        check_types(self)
        parse_face(self.face)
        if self.watermark and not self.provenance:
            raise ConfigError("`watermark` belongs to the provenance that was asked away; leave one of the two out")
        _check_emphasis(self.emphasis)
        if self.speakers and (self.voice is not None or self.face is not None):
            raise ConfigError("`speakers` name faces and their sounds; leave out `face` and `voice`")
        if self.sign is not None and not self.provenance:
            raise ConfigError("`sign` names who signs, but the provenance is left out; ask for one of the two")
        _ = self.lesson

    @property
    def lesson(self) -> Lesson:
        """How the person is learnt before the dub."""
        return Lesson(self.adapt_minutes, None if self.adapt_data is None else Path(self.adapt_data))


def _check_emphasis(emphasis: float) -> None:
    if not 0 <= emphasis <= MOST_EMPHASIS:
        raise ConfigError(f"`emphasis` must lie between 0 (at rest) and {MOST_EMPHASIS:g}, got {emphasis:g}")


@dataclass(frozen=True)
class StreamOptions:
    """How a live stream looks and sounds."""

    fps: float = setting(25.0, "frames per second (%(default)s)")
    """Frames per second, 5 to 60; the video plays at its own speed."""
    size: tuple[int, int] | None = None
    """Of the frames, (height, width) px, of the video's shape; None: the video's own."""
    face: str | int | tuple[float, float] | None = setting(None, "whose mouth moves, as for g4g dub", metavar="WHO")
    """Whose mouth moves, as for `Dubber.dub`."""
    emphasis: float = setting(EMPHASIS, "how far the mouth moves, 0 to 2.5 (%(default)s)", metavar="E")
    """How far the mouth moves, as for `Dubber.dub`."""
    sample_rate: int = 48_000
    """Of the sound that comes out, Hz, a multiple of 100; what goes in may have any."""
    jitter_s: float = setting(0.04, "chunks of sound may come so many seconds late (%(default)s)", metavar="S")
    """Chunks may come so much later than their sound is long; the picture waits as much longer."""
    paced: bool = True
    """Frames come when they are due; False gives them as fast as they are made, as far as there is sound."""

    def __post_init__(self) -> None:
        check_types(self)
        parse_face(self.face)
        if not 5 <= self.fps <= 60:
            raise ConfigError(f"`fps` must lie between 5 and 60, got {self.fps:g}")
        if self.size is not None and min(self.size) < 64:
            raise ConfigError(f"`size` is (height, width) of at least 64 px, got {self.size}")
        _check_emphasis(self.emphasis)
        if not 8000 <= self.sample_rate <= 192_000 or self.sample_rate % 100:
            raise ConfigError(f"`sample_rate` must be a multiple of 100 from 8000 to 192000, got {self.sample_rate}")
        if not 0 <= self.jitter_s <= 1:
            raise ConfigError(f"`jitter_s` must lie between 0 and 1, got {self.jitter_s:g}")


@dataclass(frozen=True)
class BatchOptions(LoadOptions):
    """How a list of jobs is worked off, and with which networks."""

    engine: str = setting(
        "local", "where the workers run: local means processes here, ray Ray's workers, g4g[ray] (%(default)s)",
        choices=ENGINES,
    )  # fmt: skip
    """"local": processes on this machine; "ray": Ray's actors (extra ray), here or on the cluster at `address`."""
    networks: str = setting(
        LoadOptions.engine, "what computes the networks in each worker: what --engine is for g4g dub (%(default)s)",
        choices=NETWORK_ENGINES,
    )  # fmt: skip
    """What runs the large networks in each worker: the `engine` of a single dub."""
    address: str | None = setting(
        None, "of a Ray cluster (else RAY_ADDRESS), all of whose machines see all files under the same paths"
    )  # fmt: skip
    """Of a Ray cluster; None: what RAY_ADDRESS in the environment names, and without it Ray is started on this machine
    only, reachable from this machine only."""
    dashboard: bool = setting(False, "show Ray's dashboard, on this machine only")
    """Let a Ray that is started here show its dashboard."""
    workers: int | None = setting(None, "processes (as many as cores and memory allow)")
    """Processes; None: as many as cores and free memory allow, of all machines of a cluster."""
    threads: int | None = setting(None, "of each worker (its share of the cores)")
    """Of each worker; None: the cores shared out among the workers."""
    pin: bool = setting(False, "hold each worker to its own cores")
    """Hold each worker to its own cores, which its encoder then shares (Linux)."""
    memory_mb: int | None = setting(None, "most memory of a worker (its share of what is free)")
    """Most memory of a worker; None: its share of what is free here, on a cluster 3 GB. A job that needs more fails,
    and is tried again."""
    retries: int = setting(2, "further tries after a fault that may pass (%(default)s)")
    """A job whose fault may pass (memory, a full disk, a lost worker) is tried so many times more."""
    wait_s: float = setting(5.0, "before the first further try, doubled each time (%(default)s)", metavar="S")
    """Before the first further try; doubled before each next one."""
    avatars: str | Path | None = setting(None, "keep what is known of each video here", metavar="DIR")
    """Folder of the videos' avatars, to share among batches; None: hidden below the output folder."""
    overwrite: bool = setting(False, "replace outputs that no batch wrote", flag="--force")
    """Replace outputs that no batch wrote."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine == "local" and (self.address or self.dashboard):
            raise ConfigError("an address and a dashboard belong to the engine ray; choose it, or leave them out")
        for name, least in (("workers", 1), ("threads", 1), ("retries", 0), ("memory_mb", LEAST_WORKER_MB)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ConfigError(f"`{name}` must be at least {least}, got {getattr(self, name)}")


@dataclass(frozen=True)
class ServeOptions:
    """Where the page stands, and what its visitors may give."""

    host: str = setting("127.0.0.1", "address; 0.0.0.0 lets other computers in (%(default)s)")
    """Address that the server listens at; 127.0.0.1 is this computer alone."""
    port: int = setting(7860, "(%(default)s)")
    """Port."""
    max_mb: int = setting(500, "largest upload in MB (%(default)s)", metavar="MB")
    """Largest file that a visitor may upload, in MB."""
    max_minutes: float = setting(10.0, "longest video or sound (%(default)s)", metavar="M")
    """Longest video or sound, in minutes."""
    max_waiting: int = setting(20, "jobs that may wait (%(default)s)", metavar="N")
    """Jobs that may wait; one runs at a time."""
    live: str | Path | None = setting(
        None, "instead, let the browser's microphone drive this avatar, for one visitor at a time (extra live)",
        metavar="AVATAR",
    )  # fmt: skip
    """A file of `g4g avatar`: instead of the page that dubs, one on which the browser's microphone drives it."""

    def __post_init__(self) -> None:
        check_types(self)
        if self.max_mb < 1 or not self.max_minutes > 0 or self.max_waiting < 1:
            raise ConfigError("the page's limits must be at least 1 MB, above 0 minutes, and at least one waiting job")


@dataclass(frozen=True)
class TrainOptions:
    """How a stage is trained; `g4g.training.loop.Plan` takes its defaults from here."""

    minutes: float = setting(15.0, "training time (%(default)s)")
    """Length of the training."""
    steps: int = setting(10**9, "or so many steps, whichever ends first")
    """Or so many steps, whichever ends first."""
    device: str = setting("auto", "auto, cpu, cuda, mps (%(default)s)")
    """Where the training runs."""
    precision: str = setting("32-true", PRECISION_HELP, choices=PRECISIONS)
    """As Lightning Fabric names it; "bf16-mixed" is half as fast again on CPUs with bfloat16, far slower on others."""
    learning_rate: float | None = setting(None, "the highest (default: the stage's own)")
    """The highest; None: the stage's own."""
    devices: int = setting(1, "processes on this machine, each on a device or its share of the cores (%(default)s)")
    """Processes on this machine; each computes batches of its own clips, and all learn from all."""
    nodes: int = setting(1, "machines, on each of which the same command runs (%(default)s)")
    """Machines on which the same command runs; MASTER_ADDR, MASTER_PORT and NODE_RANK in the environment name the first
    one and this one."""
    workers: int = setting(0, "processes that draw the generator's examples beside its training (%(default)s)")
    """Processes that draw the generator's examples beside its training, which waits for them on a GPU; 0: none."""
    frames: int | None = setting(None, "frames that the generator learns from at a step (default: few, as suits a CPU)")
    """Frames that the generator learns from at a step; None: few, as suits a CPU."""
    batches: int | None = setting(None, "batches per step, shared out among the processes (one for each)")
    """Batches per step, shared out among all processes; None: one for each, or as many as the run had that goes on."""

    def __post_init__(self) -> None:
        check_types(self)
        if not self.minutes > 0:
            raise ConfigError(f"training needs more than 0 `minutes`, got {self.minutes:g}")
        if self.workers < 0:
            raise ConfigError(f"`workers` must be 0 or more, got {self.workers}")
        for name in ("steps", "devices", "nodes", "batches", "frames"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigError(f"`{name}` must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class FinetuneOptions:
    """Settings of a fine-tuning beside clips and output."""

    weights: str | Path = setting(DEFAULT_WEIGHTS, "the base: a shipped name, or a file (%(default)s)")
    """The base, by name or file."""
    minutes: float = setting(10.0, "of training, after the clips are prepared (%(default)s)")
    """Length of the training; the clips are prepared before."""
    steps: int = setting(10**9, "or so many steps, whichever ends first")
    """Or so many steps, whichever ends first."""
    data: str | Path | None = setting(None, "prepared data of other people, replayed against forgetting", metavar="DIR")
    """Other people's prepared data (`g4g prepare`), replayed against forgetting."""
    one_person: bool = setting(False, "all faces are the speaker, however they look")
    """Never set a shot aside because it looks like another person."""
    face: str | int | tuple[float, float] | None = setting(
        None, "in videos of several people: left, right, largest, a number (g4g faces), or x,y", metavar="WHO"
    )
    """Whom to learn in videos of several people, as for `Dubber.dub`; None leaves out where two are seen."""
    faces: str = setting(FACES, "face backend (%(default)s)")
    """Face backend."""
    workers: int = setting(WORKERS, "processes that prepare clips side by side (%(default)s)")
    """Processes that prepare clips side by side."""
    seed: int = setting(1, "(%(default)s)")
    """Of all chance."""
    device: str = setting("auto", "auto, cpu, cuda, mps (%(default)s)")
    """Where the training runs."""
    precision: str = setting("32-true", PRECISION_HELP, choices=PRECISIONS)
    """"32-true" or "bf16-mixed", which is half as fast again where the processor has bfloat16."""
    resume: bool = setting(False, "go on where the same command stopped")
    """Go on where the same command stopped."""
    report: str | Path | None = setting(None, "write report.json, curve.png and sheet.png", metavar="DIR")
    """Folder for report.json, curve.png and sheet.png."""
    avatar: str | Path | None = setting(
        None, "also write an avatar of the clip that shows most, with what was learnt in it", metavar="FILE"
    )
    """Avatar to write of the clip that shows most; it holds what was learnt: a dub takes the base's weights for it."""

    def __post_init__(self) -> None:
        check_types(self)
        parse_face(self.face)
        check_backend(self.faces)
        if not self.minutes > 0 or self.steps < 1:
            raise ConfigError(
                f"training needs more than 0 minutes and at least one step, got {self.minutes:g} and {self.steps}"
            )

    def describe_run(self, origin: dict) -> dict:
        """Say what a run that goes on must have in common with the one that began."""
        return {"base": origin, "seed": self.seed, "face": str(self.face), "faces": self.faces}


@dataclass(frozen=True)
class EvaluateOptions:
    """With what dubs are measured."""

    judge: str | Path = setting(JUDGE_WEIGHTS, "name of the judge's weights, or a file (%(default)s)")
    """Weights that score sync, a name or a file."""
    syncnet: str | Path | None = setting(
        None, "syncnet_v2.model of the SyncNet project, for the official score beside the judge's", metavar="FILE"
    )
    """The public file syncnet_v2.model, for the official score beside the judge's (clips of 4 s and more)."""
    faces: str = setting(FACES, "face backend (%(default)s)")
    """Face backend by name."""
    identity: Callable | None = None
    """Embeds faces, see `g4g.metrics.extras.Embedder`; None: dlib's network, where it is installed."""

    def __post_init__(self) -> None:
        check_types(self)
        check_backend(self.faces)


def make_options(kind: type[_Options], given: dict[str, Any]) -> _Options:
    """Make the settings of a function from its arguments by name: DubOptions are dub's.

    Raises:
        ConfigError: there is no argument of a name, or a value does not fit.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(given.keys() - known):
        function = kind.__name__.removesuffix("Options").lower()
        raise ConfigError(f"{function} has no argument {', '.join(unknown)}; it has {', '.join(known)}")
    return kind(**given)


def check_backend(name: str) -> None:
    """Raise ConfigError for a face backend that there is not."""
    if name not in FACE_BACKENDS:
        raise ConfigError(f"unknown face backend {name!r}; `faces` is one of {', '.join(FACE_BACKENDS)}")
