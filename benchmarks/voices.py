"""Measure whether lips follow any voice: sounds put through loudness, pitch, formants, speed, room, noise and codecs.

python benchmarks/voices.py [--videos FOLDER | --data PREPARED ...] [--weights g4g-small] [--out DIR] [--limit N]
    [--groups s1 unseen] [--own] [--voices FILE...]

The changed sound drives the dub; the judge hears the clean one, whose every moment lies at the same time: were it to
hear the changed sound, its own deafness would count as the dub's fault. Only a change of speed moves moments: there it
hears what the dub heard, and real lips at that speed are scored beside it: what they lose, no dub can keep. Each clip
is driven by another's sound, since what is seen of a clip's own mouth could help; --own takes its own. Sounds of
--voices drive the first clip of each group, for the eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from changes import CHANGES, SAMPLE_RATE, SPEEDS, change_speed, write_sound
from clips import Clip, choose_foreign
from command import Report, load_groups, make_parser, say
from dubs import Job, dub_all
from sheets import draw_dub

from g4g.config import SCORE_FPS
from g4g.dubbing import Dubber
from g4g.faces import make_backend, track_faces
from g4g.media import read_frames, read_waveform
from g4g.metrics import Judge, SyncScore, load_judge
from g4g.metrics.report import Figure
from g4g.zoo import load

_CLEAN = "clean"
_LEAST_SHARE = {
    "a child's pitch (7 semitones up)": 0.8, "a giant's pitch (5 semitones down)": 0.8,
    "faster by a quarter": 0.8, "slower by a fifth": 0.8, "white noise": 0.7, "babble": 0.7,
}  # fmt: skip
"""Change -> what LSE-C should keep of clean sound's."""


class Bench:
    """Dubs of pairs of clips and voices with changed sounds; what goes wrong is added to `failed`."""

    def __init__(self, dubber: Dubber, judge: Judge, out: Path, failed: list[str]) -> None:
        self.dubber, self.judge, self.out, self.failed = dubber, judge, out, failed

    def measure(self, group: str, pairs: list[tuple[Clip, Clip]]) -> list[Figure]:
        """Measure all changes of the sounds of one group."""
        waveforms = {voice.name: np.array(read_waveform(voice.source)) for _, voice in pairs}
        scores = {}
        for name in CHANGES:
            say(f"{group}, {name}: {len(pairs)} dubs")
            scores[name] = [self._score(name, clip, voice, waveforms) for clip, voice in pairs]
            clip, voice = pairs[0]
            if (job := self._job(name, clip, voice)).out.is_file():
                draw_dub(job, voice, self.out / f"{group}_{job.out.parent.name}.png")
        return report_falls(scores, group) + self._report_real([voice for _, voice in pairs], group)

    def _report_real(self, voices: list[Clip], group: str) -> list[Figure]:
        """Score real lips at other speeds beside what they score at their own."""
        clean = np.mean([judge_real(self.judge, voice, 1.0) for voice in voices])
        return [
            Figure("1 voice", group, f"{name}: LSE-C over clean sound's, real lips",
                   float(np.mean([judge_real(self.judge, voice, speed) for voice in voices]) / clean), len(voices))
            for name, speed in SPEEDS.items()
        ]  # fmt: skip

    def _job(self, name: str, clip: Clip, voice: Clip) -> Job:
        folder = self.out / name.split(" (")[0].replace(" ", "-").replace("/", "-")
        folder.mkdir(exist_ok=True)
        return Job(clip, folder / f"{voice.name}.wav", folder / f"{clip.name}-{voice.name}.mp4")

    def _score(self, name: str, clip: Clip, voice: Clip, waveforms: dict[str, np.ndarray]) -> tuple[float, float]:
        """Dub a clip with a changed sound; return the judge's offset and LSE-C, NaN for a dub that failed."""
        job, clean = self._job(name, clip, voice), waveforms[voice.name]
        others = [waveform for other, waveform in waveforms.items() if other != voice.name]
        changed = CHANGES[name](clean, others or [clean], np.random.default_rng(0))
        write_sound(job.audio, changed)
        failed = dub_all(self.dubber, [job], lambda text: None).failed
        self.failed += failed
        if failed:
            return np.nan, np.nan
        score = judge_dub(self.judge, job, changed if name in SPEEDS else clean)
        return score.offset_frames, score.lse_c


def judge_dub(judge: Judge, job: Job, waveform: np.ndarray) -> SyncScore:
    """Score the lips of a dub's file against a waveform, as long as it lasts."""
    clip, track = job.clip, track_faces(read_frames(job.out), make_backend("mediapipe"))
    times_s = clip.shot.times_s + clip.start_s
    numbers = clip.numbers[(times_s <= len(waveform) / SAMPLE_RATE) & (clip.numbers < len(track))]
    return judge.score(track.landmarks[numbers], waveform, times_s[: len(numbers)])


def judge_real(judge: Judge, clip: Clip, speed: float) -> float:
    """Tell the LSE-C of a real clip that is played at another speed: sound at its own pitch, frames at 25 a second."""
    shot = clip.shot
    times_s, waveform = shot.times_s / speed, shot.waveform / np.float32(32768)
    even_s = np.arange(times_s[0], times_s[-1], 1 / SCORE_FPS)
    columns = shot.landmarks.reshape(len(shot), -1).T
    points = np.stack([np.interp(even_s, times_s, column) for column in columns], 1).reshape(-1, 68, 2)
    return judge.score(points, change_speed(waveform, speed), even_s).lse_c


def report_falls(scores: dict[str, Sequence[tuple[float, float]]], group: str) -> list[Figure]:
    """Turn (offset, LSE-C) of every dub of every change into shares within one frame and their falls, in points."""
    shares = {name: float(np.mean([abs(offset) <= 1 for offset, _ in rows])) for name, rows in scores.items()}
    confidences = {name: float(np.nanmean([confidence for _, confidence in rows])) for name, rows in scores.items()}
    figures = []
    for name, rows in scores.items():
        count, over = len(rows), confidences[name] / confidences[_CLEAN]
        figures.append(Figure("1 voice", group, f"{name}: within 1 frame", shares[name], count, shares[_CLEAN], _CLEAN))
        if name != _CLEAN:
            fall = 100 * (shares[_CLEAN] - shares[name])
            figures += [
                Figure("1 voice", group, f"{name}: fall of that, points", fall, count, target=0.0, wish="<="),
                Figure("1 voice", group, f"{name}: LSE-C over clean sound's", over, count, 1.0, _CLEAN,
                       _LEAST_SHARE.get(name)),
            ]  # fmt: skip
    return figures


def main() -> None:
    """Parse, measure group by group, print the table, write voices.json and the sheets."""
    parser = make_parser(__doc__, "voices", ("s1", "unseen"))
    parser.add_argument("--own", action="store_true", help="drive each clip by its own sound")
    parser.add_argument("--voices", nargs="+", default=[], type=Path, metavar="FILE", help="sounds to look at")
    options = parser.parse_args()
    out = Path(options.out)
    report, groups = Report(out / "voices.json", options), load_groups(options)
    dubber = Dubber(load(options.weights))
    bench = Bench(dubber, load_judge(options.judge), out, report.failed)
    for group, clips in groups.items():
        for voice in options.voices:
            name = f"{group}_{voice.stem}"
            say(f"{group}: {voice.name}")
            dubber.dub(clips[0].source, voice, out / f"{name}.mp4", overwrite=True, sheet=out / f"{name}.png")
        own = [(clip, clip) for clip in clips]
        pairs = own if options.own or len(clips) == 1 else choose_foreign(clips)
        report.add(bench.measure(group, pairs))
    report.end()


if __name__ == "__main__":
    main()
