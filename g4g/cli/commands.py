"""The commands of g4g and their options."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from g4g import __version__
from g4g.errors import ConfigError
from g4g.options import DubOptions

_EXAMPLE = """examples:
  g4g dub talk.mp4 --audio german.wav -o talk-german.mp4
  g4g faces panel.mp4 -o faces.png && g4g dub panel.mp4 --audio german.wav --face 1 -o panel-german.mp4
  g4g avatar ann.mp4 -o ann.avatar && g4g dub ann.avatar --audio german.wav -o ann-german.mp4
  g4g dub portrait.png --audio voice.wav -o portrait.mp4 --sheet portrait.png
  g4g evaluate talk-german.mp4 --reference talk.mp4 --audio german.wav
  g4g finetune clips-of-ann/ -o ann.safetensors && g4g dub new.mp4 --audio new.wav --weights ann.safetensors -o out.mp4
  g4g prepare clips/ -o data/ && g4g train generator data/ -o my.safetensors --weights g4g-small"""
_PRECISION_HELP = "bf16-mixed: half as fast again on CPUs with bfloat16, far slower on others (%(default)s)"


def run(arguments: list[str]) -> None:
    """Parse the arguments and run one command."""
    options = make_parser().parse_args(arguments)
    options.run(options)


def make_parser() -> argparse.ArgumentParser:
    """Describe every command. argparse and not a config-driven parser: `g4g --help` must not import torch."""
    parser = argparse.ArgumentParser(
        "g4g", description="A video of a person and a new sound in; the same video with lips that say it out.",
        epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"g4g {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dub = commands.add_parser("dub", help="dub one video", description="Dub a video, or make a still picture speak.")
    dub.set_defaults(run=_dub)
    dub.add_argument("video", help="video, still picture or folder of pictures of a person, or what g4g avatar wrote")
    dub.add_argument("--audio", help="the new sound: a sound file, or a video with sound")
    dub.add_argument(
        "-o", "--out", required=True, help="video to write, .mp4 .m4v .mov .mkv or .webm; appears whole or not at all"
    )
    dub.add_argument("--face", metavar="WHO", help="left, right, largest, a number that g4g faces shows, or x,y: "
                     "a pixel of the face (in each scene the one that speaks)")  # fmt: skip
    dub.add_argument("--speaker", action="append", default=[], metavar="N=SOUND",
                     help="the sound of face N, once per speaker; without --audio they are heard together")  # fmt: skip
    dub.add_argument("--weights", default="g4g-small", help="name of shipped weights, or a file (%(default)s)")
    dub.add_argument("--faces", default="mediapipe", help="face backend: mediapipe or face-alignment (%(default)s)")
    dub.add_argument("--device", default="cpu", help="cpu, cuda, mps (%(default)s)")
    dub.add_argument("--length", choices=("audio", "video"), default=DubOptions.length,
                     help="whose length the result has; a short video plays to and fro (%(default)s)")  # fmt: skip
    dub.add_argument("--voice", help="what the lips say, where --audio has music or noise beside it")
    dub.add_argument("--start", type=float, metavar="S", help="second of the video at which the sound starts")
    dub.add_argument("--end", type=float, metavar="S", help="second at which it is cut; the rest stays as it is")
    dub.add_argument(
        "--mix",
        choices=("replace", "keep", "duck"),
        default=DubOptions.mix,
        help="remove the old sound meanwhile, leave it beneath, or lower it under speech (%(default)s)",
    )
    dub.add_argument(
        "--emphasis",
        type=float,
        default=DubOptions.emphasis,
        metavar="E",
        help="how far the mouth moves, 0 to 2.5 (%(default)s)",
    )
    dub.add_argument("--codec", help="h264, hevc, vp9, av1 or prores, as the container allows (its usual one)")
    dub.add_argument("--crf", type=int, help="the codec's own quality, 0 is best (h264 18, hevc 20, others 24)")
    dub.add_argument("--tolerant", action="store_true", help="use what can be read of a damaged video")
    dub.add_argument("--force", action="store_true", help="replace an existing output")
    dub.add_argument("--dry-run", action="store_true", help="look for the face and tell what would be done")
    dub.add_argument("--json", metavar="FILE", help="write the report")
    dub.add_argument(
        "--sheet", metavar="PNG", help="draw a contact sheet, .png or the like: source above dubbed, mouths enlarged"
    )
    dub.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = (
        "Look at a video once and keep what every dub of it needs: the video, its faces, pictures of each mouth. "
        "g4g dub takes the file instead of the video, and begins at once."
    )
    avatar = commands.add_parser("avatar", help="prepare a video for many dubs", description=about)
    avatar.set_defaults(run=_avatar)
    avatar.add_argument("video", help="video, still picture or folder of pictures of a person")
    avatar.add_argument("-o", "--out", required=True, help="file to write, such as ann.avatar; holds the video whole")
    avatar.add_argument("--weights", default="g4g-small", help="the weights that will dub it (%(default)s)")
    avatar.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    avatar.add_argument("--device", default="cpu", help="cpu, cuda, mps (%(default)s)")
    avatar.add_argument("--tolerant", action="store_true", help="use what can be read of a damaged video")
    avatar.add_argument("--force", action="store_true", help="replace an existing file")
    avatar.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = "List the faces of a video: number, place, size, how much each speaks, and when it is seen."
    faces = commands.add_parser("faces", help="show who is in a video", description=about)
    faces.set_defaults(run=_faces)
    faces.add_argument("video", help="video, still picture or folder of pictures")
    faces.add_argument("-o", "--out", metavar="PNG", help="draw a picture of each face with its number")
    faces.add_argument("--json", metavar="FILE", help="write the list")
    faces.add_argument("--weights", default="g4g-small", help="they tell who speaks (%(default)s)")
    faces.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    faces.add_argument("--tolerant", action="store_true", help="use what can be read of a damaged video")
    faces.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = "Cut videos into shots of face crops with mesh and sound; resumable; a video that fails is listed."
    prepare = commands.add_parser("prepare", help="cut videos into training data", description=about)
    prepare.set_defaults(run=_prepare)
    prepare.add_argument("videos", nargs="+", help="videos and stills, or folders of them")
    prepare.add_argument("-o", "--out", required=True, help="folder for index.json and shots/")
    prepare.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    prepare.add_argument("--crop-px", type=int, default=192, help="side of the stored face crops (%(default)s)")
    prepare.add_argument("--workers", type=int, default=2, help="processes side by side (%(default)s)")
    prepare.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = (
        "Measure dubs against the videos that they were made from: sync by a judge that no training saw, picture, "
        "motion; baselines beside. A dub that fails stays in the table as out of sync."
    )
    evaluate = commands.add_parser("evaluate", help="measure dubs", description=about)
    evaluate.set_defaults(run=_evaluate)
    evaluate.add_argument("outputs", nargs="*", help="dubbed videos, or folders of them")
    evaluate.add_argument(
        "--reference",
        nargs="+",
        default=[],
        metavar="VIDEO",
        help="their sources, or folders: single files in the same order, else matched by name",
    )
    evaluate.add_argument(
        "--audio", nargs="+", default=[], help="the new sounds; leave out where a dub carries its source's own sound"
    )
    evaluate.add_argument(
        "--phonemes",
        nargs="+",
        default=[],
        metavar="FILE",
        help="JSON with the times of the new sounds' phonemes, as docs/evaluation.md shows: do lips meet at p, b, m",
    )
    evaluate.add_argument("--list", metavar="FILE", help="instead: a text file with DUB, SOURCE on each line")
    evaluate.add_argument("--json", metavar="FILE", help="write all figures; a later run goes on from it")
    evaluate.add_argument("--report", metavar="DIR", help="write a page with plots, sheets and the clips themselves")
    evaluate.add_argument("--judge", default="g4g-judge", help="name of the judge's weights, or a file (%(default)s)")
    evaluate.add_argument(
        "--syncnet",
        metavar="FILE",
        help="syncnet_v2.model of the SyncNet project, for the official score beside the judge's",
    )
    evaluate.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    evaluate.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = (
        "Learn one speaker from a few minutes of video: g4g dub takes the result as --weights. What is left out or "
        "put right is listed. Ctrl-C keeps the best so far."
    )
    tune = commands.add_parser("finetune", help="learn one speaker", description=about)
    tune.set_defaults(run=_finetune)
    tune.add_argument(
        "clips", nargs="+", help="videos of the speaker, or folders of them; 10 s will do, minutes are better"
    )
    tune.add_argument("-o", "--out", required=True, help="weight file to write; OUT.work holds what --resume needs")
    tune.add_argument("--weights", default="g4g-small", help="the base: a shipped name, or a file (%(default)s)")
    tune.add_argument(
        "--minutes", type=float, default=10.0, help="of training, after the clips are prepared (%(default)s)"
    )
    tune.add_argument("--steps", type=int, default=10**9, help="or so many steps, whichever ends first")
    tune.add_argument("--data", metavar="DIR", help="prepared data of other people, replayed against forgetting")
    tune.add_argument("--one-person", action="store_true", help="all faces are the speaker, however they look")
    tune.add_argument(
        "--face", metavar="WHO", help="in videos of several people: left, right, largest, a number (g4g faces), or x,y"
    )
    tune.add_argument("--faces", default="mediapipe", help="face backend (%(default)s)")
    tune.add_argument("--workers", type=int, default=2, help="processes that prepare clips side by side (%(default)s)")
    tune.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    tune.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    tune.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed"), help=_PRECISION_HELP)
    tune.add_argument("--resume", action="store_true", help="go on where the same command stopped")
    tune.add_argument("--report", metavar="DIR", help="write report.json, curve.png and sheet.png")
    tune.add_argument("--debug", action="store_true", help="show the traceback of an error")

    about = "Train one stage on prepared data. Ctrl-C stops cleanly; OUT.state holds what --resume needs."
    train = commands.add_parser("train", help="train a network", description=about)
    train.set_defaults(run=_train)
    train.add_argument(
        "stage",
        choices=("speech", "aligner", "motion", "generator", "fusion", "judge"),
        help="in this order; speech only where Whisper's encoder shall be replaced by a causal one; motion is solved, "
        "not trained; the judge only scores sync and stands apart",
    )
    train.add_argument("data", help="folder that g4g prepare wrote; for speech: g4g.training.speech_data")
    train.add_argument("-o", "--out", required=True, help="weight file; all but the judge share one")
    train.add_argument("--weights", help="start from these (default: OUT where it exists, else fresh networks)")
    train.add_argument("--minutes", type=float, default=15.0, help="training time (%(default)s)")
    train.add_argument("--steps", type=int, default=10**9, help="or so many steps, whichever ends first")
    train.add_argument("--seed", type=int, help="(1)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    train.add_argument(
        "--precision",
        default="32-true",
        choices=("32-true", "bf16-mixed"),
        help=_PRECISION_HELP,
    )
    train.add_argument("--learning-rate", type=float, help="the highest (default: the stage's own)")
    train.add_argument(
        "--without", nargs="+", default=[], metavar="SPEAKER", help="leave out these speakers, to measure on them"
    )
    train.add_argument(
        "--speech", metavar="NAME", help="take the features in DATA/speech/NAME; else the weights' encoder makes them"
    )
    train.add_argument("--resume", action="store_true", help="go on from OUT.state")
    train.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _dub(options: argparse.Namespace) -> None:
    from g4g.checkpoints.atomic import write_whole
    from g4g.dubbing import Dubber
    from g4g.media.write import check_output

    if options.json:
        check_output(Path(options.json), True, inputs=filter(None, (options.video, options.audio, options.voice)))
    with _progress() as report:
        dubber = Dubber.from_pretrained(options.weights, faces=options.faces, device=options.device)
        result = dubber.dub(
            options.video, options.audio, options.out, voice=options.voice, overwrite=options.force,
            emphasis=options.emphasis, face=options.face, speakers=_parse_speakers(options.speaker),
            length=options.length, start_s=options.start, end_s=options.end, mix=options.mix, codec=options.codec,
            crf=options.crf, tolerant=options.tolerant, dry_run=options.dry_run, sheet=options.sheet, progress=report,
        )  # fmt: skip
    if options.json:
        write_whole(Path(options.json), (result.to_json() + "\n").encode())
    print(result)


def _avatar(options: argparse.Namespace) -> None:
    from g4g.dubbing import Dubber

    with _progress() as report:
        dubber = Dubber.from_pretrained(options.weights, faces=options.faces, device=options.device)
        avatar = dubber.make_avatar(
            options.video, options.out, overwrite=options.force, tolerant=options.tolerant, progress=report
        )
    for fault in avatar.faults:
        print(f"note: {fault}")
    for number, person in sorted(avatar.persons.items()):
        print(f"{options.out}: face {number}, seen in {len(person.head.frames)} frames, {len(person.library)} pictures")


def _parse_speakers(given: list[str]) -> dict[int, str]:
    """Read 0=a.wav, 1=b.wav."""
    speakers = {}
    for words in given:
        number, is_pair, sound = words.partition("=")
        if not is_pair or not number.isdecimal() or not sound or int(number) in speakers:
            raise ConfigError(f"--speaker takes N=SOUND, once for each face, such as 0=anna.wav; got {words!r}")
        speakers[int(number)] = sound
    return speakers


def _faces(options: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    from g4g.checkpoints.atomic import write_whole
    from g4g.dubbing import Dubber

    with _progress() as report:
        dubber = Dubber.from_pretrained(options.weights, faces=options.faces)
        found = dubber.list_faces(options.video, sheet=options.out, tolerant=options.tolerant, progress=report)
    if options.json:
        write_whole(Path(options.json), (json.dumps([asdict(face) for face in found], indent=2) + "\n").encode())
    print("\n".join(map(str, found)) or "no face found")


def _prepare(options: argparse.Namespace) -> None:
    from g4g.training.prepare import prepare

    with _progress() as report:
        index = prepare(
            options.videos, options.out, faces=options.faces, workers=options.workers, crop_px=options.crop_px,
            progress=lambda done, total, what: report("prepare", done, total),
        )  # fmt: skip
    print(f"{len(index['shots'])} shots in {options.out}, {len(index['failed'])} videos failed")
    for failure in index["failed"]:
        print(f"  {failure['source']}: {failure['reason']}")


def _evaluate(options: argparse.Namespace) -> None:
    from g4g.metrics.evaluate import evaluate, format_evaluation, read_list

    outputs, references = options.outputs, options.reference
    if options.list:
        if outputs or references:
            raise ConfigError("give either files or --list, not both")
        outputs, references = map(list, zip(*read_list(options.list), strict=True))
    with _progress() as report:
        result = evaluate(
            outputs, references, options.audio, judge=options.judge, syncnet=options.syncnet, faces=options.faces,
            phonemes=options.phonemes, json_file=options.json,
            progress=lambda done, total, what: report("evaluate", done, total),
        )  # fmt: skip
    print(format_evaluation(result))
    if options.report:
        from g4g.metrics.page import write_page

        print(write_page(options.report, result, shlex.join(["g4g", *sys.argv[1:]])))


def _finetune(options: argparse.Namespace) -> None:
    from g4g.training.finetune import FinetuneOptions, finetune

    settings = {name: getattr(options, name) for name in FinetuneOptions.__dataclass_fields__}
    with _progress() as report:
        log = lambda line: print(line, file=sys.stderr)  # noqa: E731
        result = finetune(options.clips, options.out, progress=report, log=log, **settings)
    print(result)


def _train(options: argparse.Namespace) -> None:
    from g4g.training.loop import Plan

    settings = {name: getattr(options, name) for name in ("minutes", "steps", "device", "precision")}
    if options.stage == "judge":
        if options.weights or options.seed is not None:
            raise ConfigError("the judge starts from nothing and has its own seed; leave out --weights and --seed")
        from g4g.training.judge import SEED, train_judge

        figures = train_judge(options.data, options.out, Plan(seed=SEED, **settings), resume=options.resume)
    else:
        from g4g.training.stages import train_stage

        plan = Plan(learning_rate=options.learning_rate, seed=1 if options.seed is None else options.seed, **settings)
        figures = train_stage(
            options.stage, options.data, options.out, plan, weights=options.weights, without=options.without,
            speech=options.speech, resume=options.resume,
        )  # fmt: skip
    print(f"{options.out}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))


class _progress:  # noqa: N801 - used as a function
    """A rich progress bar per stage on stderr, made when the first report comes."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=Console(stderr=True))
        self._tasks: dict[str, int] = {}
        self._bars.start()
        return self._report

    def _report(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
