"""Many dubs measured: pairing, failures that stay in the table, means, and JSON that a later run goes on from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from g4g.checkpoints import check_weights
from g4g.checkpoints.atomic import write_whole
from g4g.errors import DataError, G4GError
from g4g.metrics.clip import ClipScores, SheetColumn, measure_clip
from g4g.metrics.extras import Extras, load_extras
from g4g.metrics.judge import Judge, load_judge
from g4g.metrics.kinds import KINDS, ROWS
from g4g.metrics.phonemes import Phoneme, read_phonemes
from g4g.metrics.report import align_columns, finite_json
from g4g.options import EvaluateOptions, make_options
from g4g.settings import as_paths
from g4g.stamp import stamp_file

Files = str | Path | Sequence[str | Path]

SCHEMA_VERSION = 4
WITHIN_FRAMES = 1
"""An offset of at most so many frames counts as in sync."""


@dataclass
class Evaluation:
    """Figures of all clips.

    Attributes:
        judge: names the weights that scored sync.
        clips: one per dub.
        fid: Frechet Inception distance of all dubbed face crops from the real ones; None where not measured.
        missing: what was not measured and why, a sentence each.
    """

    judge: str
    clips: list[ClipScores] = field(default_factory=list)
    fid: float | None = None
    missing: list[str] = field(default_factory=list)

    def summarise(self) -> dict[str, dict[str, float]]:
        """Average each figure over the clips that have it, row by row.

        "in_sync" is the share of all clips whose offset is within WITHIN_FRAMES; in the dubs' row a clip that failed
        counts as out of sync, one whose real video the judge cannot hear does not count at all.
        """
        summary: dict[str, dict[str, float]] = {}
        for row in ROWS:
            members = [clip.rows[row] for clip in self.clips if row in clip.rows]
            names = [name for name in KINDS if any(name in member for member in members)]
            means = {name: _mean([member[name] for member in members if name in member]) for name in names}
            scored = [abs(member["offset_frames"]) <= WITHIN_FRAMES for member in members if "offset_frames" in member]
            unheard = sum(clip.is_heard is False for clip in self.clips)
            total = len(self.clips) - unheard if row == "dubbed" else len(scored)
            if scored:
                means["in_sync"] = sum(scored) / total
            if row == "dubbed" and self.fid is not None:
                means["fid"] = self.fid
            if means:
                summary[row] = means
        return summary

    def to_json(self) -> dict:
        """Everything as JSON values: schema version, meaning and unit of each figure, summary, clips."""
        return {
            "version": SCHEMA_VERSION,
            "judge": self.judge,
            "figures": {name: asdict(kind) for name, kind in KINDS.items()},
            "rows": ROWS,
            "not_measured": self.missing,
            "failed": sum(bool(clip.error) for clip in self.clips),
            "summary": finite_json(self.summarise()),
            "clips": [finite_json(asdict(clip)) for clip in self.clips],
        }


def evaluate(
    outputs: Files, references: Files, audios: Files = (), *, phonemes: Files = (),
    json_file: str | Path | None = None, progress: Callable[[str, int, int], None] | None = None, **options: object,
) -> Evaluation:  # fmt: skip
    """Measure dubs against the videos that they were made from.

    Args:
        outputs: dubbed videos, or folders of them; a single path, as for the next three, is a list of one.
        references: their sources, or folders of them: matched by order where both are single files, else by name.
        audios: the new sounds; none: the dubs carry their sources' own sound.
        phonemes: JSON files with the phonemes of the new sounds (`g4g.metrics.phonemes.write_phonemes`); a single one
            belongs to every dub.
        json_file: written after each clip; clips that it holds already, of unchanged files, are not measured again.
        progress: called with (stage, done, total).
        options: more settings by name; `EvaluateOptions` lists and explains them.
    Returns:
        Figures of every dub; one that failed says why.
    Raises:
        DataError: nothing to compare, or files without a partner. CheckpointError: no such judge. ConfigError: a path
            that is none, or no such face backend.
    """
    named = {"outputs": outputs, "references": references, "audios": audios, "phonemes": phonemes}
    outputs, references, audios, phonemes = (as_paths(given, name) for name, given in named.items())
    settings = make_options(EvaluateOptions, options)
    check_weights(settings.judge)
    jobs = match_files(outputs, references, audios)
    files = _match_phonemes([job[0] for job in jobs], outputs, phonemes)
    sounds = {file: read_phonemes(file) for file in files if file is not None}
    known = _read_known(json_file, str(settings.judge))
    extras = load_extras(settings.syncnet, settings.identity)
    network: Judge | None = None
    result = Evaluation(str(settings.judge), missing=extras.missing)
    for number, (job, file) in enumerate(zip(jobs, files, strict=True), 1):
        if progress:
            progress("evaluate", number - 1, len(jobs))
        stamp = stamp_files([*job, file])
        scores = known.get(stamp)
        if scores is None:
            network = network or load_judge(settings.judge)
            scores = _measure(job, network, settings.faces, extras, sounds[file] if file else [])
            scores.stamp = stamp
        elif extras.fid is not None:
            extras = replace(extras, fid=None)
            result.missing.append(f"FID: some clips were measured by an earlier run; delete {json_file} for it")
        result.clips.append(scores)
        if json_file is not None:
            write_json(json_file, result)
    if progress:
        progress("evaluate", len(jobs), len(jobs))
    if extras.fid is not None and not all(clip.error for clip in result.clips):
        result.fid = float(extras.fid.compute())
        if json_file is not None:
            write_json(json_file, result)
    return result


def match_files(
    outputs: Sequence[str | Path], references: Sequence[str | Path], audios: Sequence[str | Path] = ()
) -> list[tuple[Path, Path, Path | None]]:
    """Match each dub with its source and its sound: by order where as many single files are given, else by name.

    A name matches when the stems are equal, or the dub's starts with the other's and a "-", "_" or "." follows.

    Raises:
        DataError: no dub, or one without a partner.
    """
    dubs = _list_files(outputs)
    if not dubs:
        raise DataError("no dubbed video given; name files, or folders that hold some")
    return [
        (dub, source, sound)
        for dub, source, sound in zip(
            dubs,
            _partners(dubs, outputs, references, "reference"),
            _partners(dubs, outputs, audios, "sound") if audios else [None] * len(dubs),
            strict=True,
        )
    ]


def read_list(path: str | Path) -> list[tuple[Path, Path]]:
    """Read a list of dubs and sources: two columns per line, parted by a tab or a comma; "#" starts a comment.

    Raises:
        DataError: no such file, a line without two columns, or nothing listed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a text file with a dub and its source per line")
    pairs = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.split("#")[0].strip()
        columns = [column.strip() for column in text.replace("\t", ",").split(",")]
        if text and len(columns) != 2:
            raise DataError(f"line {number} of {path} has {len(columns)} columns: write DUB, SOURCE")
        if text:
            pairs.append((path.parent / columns[0], path.parent / columns[1]))
    if not pairs:
        raise DataError(f"{path} lists nothing: write DUB, SOURCE on each line")
    return pairs


def write_json(path: str | Path, evaluation: Evaluation) -> None:
    """Write an evaluation, whole or not at all."""
    write_whole(Path(path), (json.dumps(evaluation.to_json(), indent=1) + "\n").encode())


def format_evaluation(evaluation: Evaluation) -> str:
    """Lay the means out as text: a line per figure, a column per row of ROWS; then what failed."""
    summary = evaluation.summarise()
    names = [name for name in [*KINDS, "in_sync"] if any(name in means for means in summary.values())]
    table = [["", *summary, "better", "unit"]]
    for name in names:
        cells = [f"{means[name]:.3f}" if name in means else "" for means in summary.values()]
        kind = KINDS.get(name)
        table.append([name, *cells, kind.better if kind else "up", kind.unit if kind else "share"])
    failed = [clip for clip in evaluation.clips if clip.error]
    total = f"{len(evaluation.clips)} clips, {len(failed)} failed; sync by {evaluation.judge}"
    lines = [f"failed: {clip.output}: {clip.error}" for clip in failed]
    return "\n".join([*align_columns(table), total, *lines, *(f"not measured: {what}" for what in evaluation.missing)])


def stamp_files(files: Sequence[Path | None]) -> str:
    """Tell files apart from later versions of themselves: path, size and time of each."""
    there = [file for file in files if file is not None and file.exists()]
    return " | ".join(f"{file.resolve()} {stamp_file(file)}" for file in there)


def _measure(
    job: tuple[Path, Path, Path | None], judge: Judge, faces: str, extras: Extras, phonemes: list[Phoneme]
) -> ClipScores:
    output, reference, audio = job
    try:
        return measure_clip(output, reference, judge, audio, faces=faces, extras=extras, phonemes=phonemes)
    except G4GError as error:
        return ClipScores(str(output), str(reference), str(audio) if audio else None, error=str(error))


def _match_phonemes(dubs: list[Path], outputs: Sequence, phonemes: Sequence[str | Path]) -> list[Path | None]:
    if not phonemes:
        return [None] * len(dubs)
    if len(phonemes) == 1 and not Path(phonemes[0]).is_dir():
        return [Path(phonemes[0])] * len(dubs)
    return list(_partners(dubs, outputs, phonemes, "phoneme file"))


def _list_files(paths: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(p for p in path.iterdir() if p.is_file() and p.suffix != ".png") if path.is_dir() else [path]
    return files


def _partners(dubs: list[Path], outputs: Sequence, others: Sequence, what: str) -> list[Path]:
    candidates = _list_files(others)
    if len(candidates) == len(dubs) and not any(Path(path).is_dir() for path in [*outputs, *others]):
        return candidates
    partners = [partner for dub in dubs if (partner := _find_by_name(dub, candidates))]
    if len(partners) < len(dubs):
        lonely = [dub.name for dub in dubs if not _find_by_name(dub, candidates)]
        raise DataError(
            f"no {what} for {', '.join(lonely[:3])}{' ...' if len(lonely) > 3 else ''} among {len(candidates)} files; "
            "give as many files in the same order, or files of the same name"
        )
    return partners


def _find_by_name(dub: Path, candidates: list[Path]) -> Path | None:
    fitting = [c for c in candidates if dub.stem == c.stem or dub.stem.startswith(tuple(c.stem + x for x in "-_."))]
    return max(fitting, key=lambda candidate: len(candidate.stem), default=None)


def _read_known(json_file: str | Path | None, judge: str) -> dict[str, ClipScores]:
    if json_file is None or not Path(json_file).is_file():
        return {}
    content = json.loads(Path(json_file).read_text())
    if content.get("version") != SCHEMA_VERSION or content.get("judge") != judge:
        return {}
    clips = [
        ClipScores(**{**clip, "columns": [SheetColumn(**column) for column in clip["columns"]]})
        for clip in content["clips"]
    ]
    return {clip.stamp: clip for clip in clips if not clip.error}


def _mean(values: list[float | None]) -> float:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
