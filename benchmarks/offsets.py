"""Anyone's offset: halves of real clips agree, planted shifts are found, wrong sounds have no clear peak, by group.

python benchmarks/offsets.py --weights my.safetensors --data data/ wild/ --speech NAME
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from g4g.errors import DataError
from g4g.training.data import Shot, group_of, load_shots
from g4g.training.offset_figures import measure_clips, sum_up
from g4g.training.speech_features import add_speech, find_features
from g4g.zoo import load

_COLUMNS = (
    "halves_agree", "halves_clear", "clear", "peak", "least_peak", "planted_found", "wrong_clear", "most_wrong_peak",
)  # fmt: skip


def main() -> None:
    """Print a table, and write all figures where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--data", nargs="+", required=True, help="prepared folders with speech features")
    parser.add_argument("--speech", help="name of the features (the only ones)")
    parser.add_argument("--eyes", nargs="+", default=["geometry"], help="geometry, pictures, both")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    aligner = load(options.weights).aligner
    shots = [shot for folder in options.data for shot in _load_held_out(folder, options.speech)]
    result = {}
    for eye in options.eyes:
        groups = defaultdict(list)
        for shot, clip in zip(shots, measure_clips(aligner, shots, eye), strict=True):
            groups[_name_group(shot)].append(clip)
            groups["all"].append(clip)
        result[eye] = {name: sum_up(clips) for name, clips in groups.items()}
        result[f"{eye}_clips"] = [f"{c.name}: {c.whole}, {c.halves[0]}, {c.halves[1]}" for c in groups["all"]]
        print(f"{eye:22}" + "".join(f"{name:>16}" for name in ("clips", *_COLUMNS)))
        for name, clips in groups.items():
            print(f"{name:22}{len(clips):16}" + "".join(f"{result[eye][name][c]:16.3f}" for c in _COLUMNS), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1))


def _load_held_out(folder: str, features: str | None) -> list[Shot]:
    shots = [s for s in load_shots(folder) if s.kind == "video" and group_of(s.clip) not in ("train", None)]
    if not shots:
        raise DataError(f"{folder} holds no held-out clip of the split")
    return add_speech(shots, folder, features or find_features(folder))


def _name_group(shot: Shot) -> str:
    group = group_of(shot.clip)
    return f"{group} {shot.speaker}" if group in ("unseen_clips", "validation_others", "measured_only") else group


if __name__ == "__main__":
    main()
