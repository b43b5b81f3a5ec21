"""Measure whether lips do what known sounds ask for: espeak-ng tells the time of every phoneme, so nobody has to judge.

python benchmarks/phonemes.py [--weights g4g-small ...] [--languages en de es fr it pt] [--faces NAME|FILE ...]
    [--data ../shared/data] [--sentences 3] [--stream] [--out DIR] [--reuse]

Each language is one wav of 6 to 8 s; each face is dubbed with it, played to and fro, and the lips are measured in the
written file. With --stream each face also says it in a live stream, a row of its own, and it is told how far both are
apart. The row "undubbed" is the face's own video, so what doing nothing reaches. --reuse takes sounds, avatars and dubs
that lie in DIR already.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from clips import DATA
from sentences import SENTENCES
from streams import Streamer

from g4g.adapting import Dubber
from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError, G4GError
from g4g.metrics.espeak import speak
from g4g.metrics.mouth import MouthTrace, trace_mouth
from g4g.metrics.phoneme_score import PhonemeScore, score_phonemes
from g4g.metrics.phonemes import Phoneme, read_phonemes, write_phonemes
from g4g.options import DEFAULT_WEIGHTS

CLIPS = {
    "wild-glasses": "wild/glasses.mp4",
    "wild-moving": "wild/moving_head.mp4",
    "s4": "grid/s4/bbilzs.mp4",
    "actor": "cremad/1001_DFA_NEU_XX.mp4",
    "s26": "grid/s26/pbbg5p.mpg",
    "s31": "grid/s31/lgbj5a.mpg",
    "unseen": "grid/others/s20_brbk7n.mpg",
}
PORTRAITS = {"smiling": "yes", "calm": "no"}
"""Kind of held-out portrait -> what the index says of it; two of each, those with the largest faces."""
_PORTRAITS_EACH = 2
_MOST_YAW_DEG = 8.0
_UNDUBBED = "undubbed"
_STREAMED = " stream"
"""Follows the name of the weights in the row of their streams."""
MOST_APART_POINTS = 3.0
"""Our goal: each figure of streams is at most so far from that of dubs."""

COLUMNS = {
    "closed": ("closed_share", "{:.0%}"),
    "by chance": ("closed_chance", "{:.0%}"),
    "AUC p b m": ("closure_auc", "{:.3f}"),
    "chance": ("closure_auc_chance", "{:.2f}"),
    "of middles": ("middle_auc", "{:.3f}"),
    "gap of a": ("open_gap", "{:.3f}"),
    "AUC f v": ("labiodental_auc", "{:.3f}"),
    "AUC rounded": ("rounding_auc", "{:.3f}"),
}
"""Column -> figure and how it is written; the means over dubs."""
COMPARED = ("closed", "AUC p b m", "of middles", "AUC f v", "AUC rounded")
"""Columns in which streams are compared with dubs."""


@dataclass(frozen=True)
class Result:
    """The score of one dub; `error` says why there is none."""

    weights: str
    language: str
    face: str
    score: PhonemeScore | None
    error: str = ""


def list_faces(data: Path, wanted: Sequence[str] = ()) -> dict[str, Path]:
    """Find the faces by name, or only those `wanted`: names of the list, or files.

    Raises:
        DataError: a name that is not known, or a file that is not there.
    """
    faces = {name: data / file for name, file in CLIPS.items()} | choose_portraits(data / "portraits")
    if wanted:
        faces = {name if name in faces else Path(name).stem: faces.get(name, Path(name)) for name in wanted}
    missing = [str(path) for path in faces.values() if not path.is_file()]
    if missing:
        raise DataError(f"not found: {', '.join(missing)}; give --data, or --faces with names of the list or files")
    return faces


def choose_portraits(folder: Path) -> dict[str, Path]:
    """Choose held-out portraits of each kind, frontal ones with the largest faces."""
    index = folder / "index.csv"
    rows = list(csv.DictReader(index.open())) if index.is_file() else []
    held_out = [row for row in rows if row["split"] == "validate" and abs(float(row["yaw_deg"])) <= _MOST_YAW_DEG]
    held_out.sort(key=lambda row: -float(row["face_width_px"]))
    chosen = {}
    for kind, smiling in PORTRAITS.items():
        fitting = [row for row in held_out if row["smiling"] == smiling][:_PORTRAITS_EACH]
        chosen |= {f"portrait-{kind}-{i}": folder / f"{row['number']}.jpg" for i, row in enumerate(fitting, 1)}
    return chosen


def make_speech(
    languages: Sequence[str], sentences: int, out: Path, reuse: bool = False
) -> dict[str, tuple[Path, list[Phoneme]]]:
    """Speak the first sentences of each language into `out`, the phonemes beside as JSON; `reuse` what lies there."""
    speech = {}
    for language in languages:
        wav = out / f"{language}-{sentences}.wav"
        times = wav.with_suffix(".json")
        if not (reuse and wav.is_file() and times.is_file()):
            write_phonemes(times, speak(" ".join(SENTENCES[language][:sentences]), language, wav))
        speech[language] = wav, read_phonemes(times)
    return speech


def ping_pong_trace(mouth: MouthTrace, duration_s: float) -> MouthTrace:
    """Play the mouth of a video to and fro for so long, as a dub takes its frames; a still stays as it is."""
    count = len(mouth.times_s)
    frame_s = float(np.median(np.diff(mouth.times_s))) if count > 1 else 1 / 25
    period = max(2 * count - 2, 1)
    numbers = np.arange(round(duration_s / frame_s)) % period
    numbers = np.where(numbers < count, numbers, period - numbers)
    return MouthTrace(
        np.arange(len(numbers)) * frame_s, mouth.gap[numbers], mouth.width[numbers], mouth.lower_lip[numbers]
    )


def attempt(weights: str, language: str, face: str, measure: Callable[[], PhonemeScore]) -> Result:
    """Measure, and keep the reason where that fails."""
    try:
        return Result(weights, language, face, measure())
    except G4GError as error:
        return Result(weights, language, face, None, str(error))


def tabulate(results: Sequence[Result], by: str) -> str:
    """Lay the means over dubs out as a Markdown table, a line per weights and language or face (`by`)."""
    head = ["weights", by, "dubs", *COLUMNS, "lag, frames", "lag within 1"]
    lines = [head, ["---"] * len(head)]
    keys = dict.fromkeys((result.weights, getattr(result, by)) for result in results)
    for weights, key in itertools.chain(keys, ((name, "all") for name in dict.fromkeys(w for w, _ in keys))):
        members = [r for r in results if r.weights == weights and key in (getattr(r, by), "all")]
        scores = [r.score for r in members if r.score]
        cells = [_format_mean([getattr(s, name) for s in scores], text) for name, text in COLUMNS.values()]
        lags = [s.lag_frames for s in scores if s.lag_frames is not None]
        near = [abs(lag) <= 1 for lag in lags] + [False] * (len(members) - len(lags))
        lines.append(
            [weights, key, str(len(scores)), *cells, _format_mean(lags, "{:+.1f}"), _format_mean(near, "{:.0%}")]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compare_streams(results: Sequence[Result]) -> list[str]:
    """Tell how far streams are from dubs of the same faces and sounds: a sentence per weights."""
    scores = {(r.weights, r.language, r.face): r.score for r in results if r.score}
    pairs: dict[str, list[tuple[PhonemeScore, PhonemeScore]]] = {}
    for (weights, *where), dubbed in scores.items():
        streamed = scores.get((weights + _STREAMED, *where))
        if streamed:
            pairs.setdefault(weights, []).append((dubbed, streamed))
    return [_describe_pairs(weights, some) for weights, some in pairs.items()]


def _describe_pairs(weights: str, pairs: Sequence[tuple[PhonemeScore, PhonemeScore]]) -> str:
    """Say by how many points streams are above dubs, and whether our goal is reached: all columns have a figure."""
    words, far = [], []
    for column in COMPARED:
        figures = [[getattr(score, COLUMNS[column][0]) for score in pair] for pair in pairs]
        above = [100 * (streamed - dubbed) for dubbed, streamed in figures if None not in (dubbed, streamed)]
        words.append(f"{column} {_format_mean(above, '{:+.1f}')}")
        if not above or abs(np.mean(above)) > MOST_APART_POINTS:
            far.append(column)
    goal = f"MISSED by {', '.join(far)}" if far else "reached"
    return (
        f"{weights}: {len(pairs)} streams are above dubs by so many points: {', '.join(words)}; "
        f"at most {MOST_APART_POINTS:g} either way: {goal}"
    )


def write_results(path: Path, results: Sequence[Result], settings: dict) -> None:
    """Write all scores, and what was run, as JSON."""
    rows = [asdict(result) for result in results]
    write_whole(path, (json.dumps({"settings": settings, "results": rows}, indent=1) + "\n").encode())


def list_ways(weights: str, out: Path, stream: bool, reuse: bool) -> dict[str, Callable[[Path, Path, Path], object]]:
    """List how weights make a face say a sound: row of the table -> what takes video, sound and the file to write."""
    dubber, name = Dubber.from_pretrained(weights), Path(weights).stem
    ways: dict[str, Callable[[Path, Path, Path], object]] = {name: partial(dubber.dub, overwrite=True)}
    if stream:
        ways[name + _STREAMED] = Streamer(dubber, out / (name + _STREAMED), reuse).write
    return ways


def run(options: argparse.Namespace) -> list[Result]:
    """Dub and measure every face with every language and every weight file."""
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    faces = list_faces(Path(options.data), options.faces)
    speech = make_speech(options.languages, options.sentences, out, options.reuse)
    settings = {name: value for name, value in vars(options).items() if isinstance(value, str | int | list)}
    results: list[Result] = []
    sources = {}
    for weights in options.weights:
        ways = list_ways(weights, out, options.stream, options.reuse)
        for (face, video), (language, (wav, phonemes)), (name, make) in itertools.product(
            faces.items(), speech.items(), ways.items()
        ):
            dub = out / name / wav.stem / f"{face}.mp4"
            dub.parent.mkdir(parents=True, exist_ok=True)

            def measure(make=make, video=video, wav=wav, dub=dub, phonemes=phonemes) -> PhonemeScore:
                if not (options.reuse and dub.is_file()):
                    make(video, wav, dub)
                return score_phonemes(phonemes, trace_mouth(dub))

            results.append(attempt(name, language, face, measure))
            say(results[-1])
            write_results(out / "phonemes.json", results, settings)
    for (face, video), (language, (_, phonemes)) in itertools.product(faces.items(), speech.items()):

        def measure(face=face, video=video, phonemes=phonemes) -> PhonemeScore:
            if face not in sources:
                sources[face] = trace_mouth(video)
            return score_phonemes(phonemes, ping_pong_trace(sources[face], phonemes[-1].stop_s))

        results.append(attempt(_UNDUBBED, language, face, measure))
    write_results(out / "phonemes.json", results, settings)
    return results


def say(result: Result) -> None:
    """Tell on stderr how one dub went."""
    score = result.score
    words = result.error or ", ".join(f"{f.name} {getattr(score, f.name)}" for f in fields(score)[:9])
    print(f"{result.weights} {result.language} {result.face}: {words}", file=sys.stderr, flush=True)


def _format_mean(values: Sequence[float | None], text: str) -> str:
    known = [value for value in values if value is not None]
    return text.format(float(np.mean(known))) if known else "-"


def main() -> None:
    """Parse, measure, print both tables, write phonemes.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", nargs="+", default=[DEFAULT_WEIGHTS], help="names or files (default: %(default)s)")
    parser.add_argument("--languages", nargs="+", default=list(SENTENCES), choices=list(SENTENCES))
    parser.add_argument("--faces", nargs="+", default=[], help="names of the list, or video files (default: all)")
    parser.add_argument("--data", default=DATA, help="folder of the clips (default: %(default)s)")
    parser.add_argument("--sentences", type=int, default=3, help="of each language (default: %(default)s)")
    parser.add_argument("--stream", action="store_true", help="measure live streams as well, with weights that can")
    parser.add_argument("--out", default="phonemes", help="folder for sounds, dubs, figures (default: %(default)s)")
    parser.add_argument("--reuse", action="store_true", help="take sounds, avatars and dubs that are there")
    options = parser.parse_args()
    results = run(options)
    print(tabulate(results, "language"), tabulate(results, "face"), *compare_streams(results), sep="\n\n")
    for result in results:
        if result.error:
            print(f"failed: {result.weights} {result.language} {result.face}: {result.error}")
    print(f"figures in {Path(options.out) / 'phonemes.json'}")


if __name__ == "__main__":
    main()
