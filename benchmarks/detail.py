"""Measure whether large faces keep their detail: enlarged clips, the same with pores, and the bundled portrait.

python benchmarks/detail.py [--videos FOLDER | --data PREPARED] [--weights g4g-small] [--out DIR] [--limit N]
    [--groups s1]

Clips are dubbed with their own sound, the portrait with the bundled voice. The dub's mouth is held against the
source's, and so is the same mouth reduced to the networks' 128 px and pasted from there: what a dub gives that knows no
finer references. Enlarging alone adds no detail, so clips also come with a texture on the face. The sheet shows two
frames of each case, in the table's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from command import Report, load_groups, make_parser, say
from dubs import SIZE
from enlarge import enlarge_clip
from PIL import Image
from sheets import draw_rows

from g4g.config import CropConfig
from g4g.dubbing import Dubber
from g4g.dubbing.report import DubbedFrame
from g4g.faces import crop_face, refine_crop
from g4g.fusion import compose_frame
from g4g.metrics import sharpness
from g4g.metrics.report import Figure
from g4g.zoo import load

_CASES = {
    "enlarged twice": (2, False),
    "enlarged 4 times": (4, False),
    "twice, with pores": (2, True),
    "4 times, with pores": (4, True),
}
"""Name -> factor, and whether the face gets a texture."""
_SHARPNESS = 0.8
_EVERY = 5
"""So many frames apart mouths are compared: neighbours say the same."""
_SHOWN = 2
_TILE_PX = 320
_ROWS = "source", "dub", "the same from 128 px"
_VOICE = Path(__file__).parent.parent / "examples" / "voice.wav"


def cut_triples(dubber: Dubber, video: Path, audio: Path) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the mouth of source, dub and paste from 128 px of every fifth frame, at the frame's own resolution."""
    for number, item in enumerate(dubber.generate_frames(video, audio)):
        if number % _EVERY == 0 and item.crop is not None:
            finer = len(item.crop) // SIZE
            matrix = refine_crop(item.frame_to_crop, finer)
            pictures = item.source, item.frame, paste_coarse(item)
            yield tuple(_cut_mouth(crop_face(picture, matrix, SIZE * finer)) for picture in pictures)


def paste_coarse(item: DubbedFrame) -> np.ndarray:
    """Make a dubbed frame anew from its crop reduced to the networks' size."""
    finer = len(item.crop) // SIZE
    crop = item.crop.reshape(SIZE, finer, SIZE, finer, 3).mean((1, 3))
    taken = item.taken.reshape(SIZE, finer, SIZE, finer).mean((1, 3))
    return compose_frame(item.source, crop, taken, item.frame_to_crop)


def compare_detail(triples: Iterable[tuple[np.ndarray, ...]]) -> list[tuple[float, float]]:
    """Compare the sharpness of dubbed and of pasted mouths with the source's, frame by frame."""
    return [(sharpness(made, source), sharpness(pasted, source)) for source, made, pasted in triples]


def report_detail(shares: list[tuple[float, float]], group: str, case: str) -> Figure:
    """Report the mean of what `compare_detail` found."""
    ours, pasted = np.mean(shares, axis=0).tolist()
    name = f"{case}: sharpness of the mouth over the source's"
    return Figure("5 detail", group, name, ours, len(shares), pasted, "pasting 128 px", _SHARPNESS)


def write_portrait(folder: Path) -> Path:
    """Write the public-domain portrait that scikit-image ships, 512 x 512."""
    from skimage.data import astronaut

    path = folder / "portrait.png"
    Image.fromarray(astronaut()).save(path)
    return path


def _cut_mouth(crop: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = (round(side * len(crop)) for side in CropConfig().lips_box)
    return crop[y1:y2, x1:x2]


def main() -> None:
    """Parse, measure case by case, print the table, write detail.json and one sheet."""
    options = make_parser(__doc__, "detail", ("s1",)).parse_args()
    out, dubber = Path(options.out), Dubber(load(options.weights))
    report, columns = Report(out / "detail.json", options), []

    def measure(group: str, case: str, jobs: list[tuple[Path, Path]]) -> None:
        say(f"{group}, {case}: {len(jobs)} dubs")
        first, *others = (cut_triples(dubber, *job) for job in jobs)
        drawn = list(first)
        shares = compare_detail(drawn) + [share for triples in others for share in compare_detail(triples)]
        report.add([report_detail(shares, group, case)])
        columns.extend(drawn[len(drawn) * i // (2 * _SHOWN)] for i in range(1, 2 * _SHOWN, 2))
        rows = map(list, zip(*columns, strict=True))
        draw_rows(dict(zip(_ROWS, rows, strict=True)), out / "detail.png", _TILE_PX)

    for group, clips in load_groups(options).items():
        for case, (factor, has_pores) in _CASES.items():
            path = out / case.replace(",", "").replace(" ", "-")
            path.mkdir(exist_ok=True)
            videos = [enlarge_clip(clip, factor, has_pores, path / f"{clip.name}.mp4") for clip in clips]
            measure(group, case, [(video, video) for video in videos])
    if find_spec("skimage"):
        measure("portrait", "512 px", [(write_portrait(out), _VOICE)])
    else:
        report.failed.append("the portrait needs: pip install g4g[demo]")
    report.end()


if __name__ == "__main__":
    main()
