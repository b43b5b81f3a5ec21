"""A hand, a microphone, a sheet of paper before a mouth, for a while or all the time; drawn over real clips."""

import numpy as np
import pytest
from PIL import Image

import g4g
from g4g.avatar import make_avatar
from g4g.dubbing.plan import COVERED, EASE_FRAMES
from g4g.faces import follow_faces, make_backend, track_faces
from g4g.media import FrameFormat, VideoWriter, probe, read_frames
from g4g.media.encode import choose_encoding

from .occluders import cover_mouth

START, STOP = 25, 45
"""While something is before the mouth, or on its way; the clips have 75 frames."""
LIPS_HIDDEN = 0.3
FREE = ["s1/bbaf2n.mp4", "s1/sbaa6p.mp4", "s26/bgbsza.mpg", "s26/swiz3n.mpg", "s31/bgiq6p.mpg", "s31/lbig7s.mpg"]


@pytest.fixture(scope="session")
def draw(tmp_path_factory):
    """Draw something over frames START to STOP of a clip; return the new clip, and how much of the lips each hides."""

    def make(clip, kind, rest=(0.0, 0.0), start=START, stop=STOP):
        out, hidden, info = tmp_path_factory.mktemp("drawn") / "drawn.mp4", [], probe(clip)
        points = track_faces(read_frames(clip), make_backend("mediapipe")).landmarks
        stored = FrameFormat(info.width, info.height, info.fps)
        with VideoWriter(out, stored, encoding=choose_encoding(out, crf=10)) as writer:
            for number, item in enumerate(read_frames(clip)):
                frame, lips = item.frame, 0.0
                if start <= number < stop:
                    frame, lips = cover_mouth(frame, points[number], kind, number - start, stop - start, rest)
                writer.write(frame)
                hidden.append(lips)
        return out, np.array(hidden)

    return make


@pytest.mark.parametrize(
    ("kind", "rest"),
    [("hand", (0, 0)), ("side hand", (0, 0)), ("hand", (-0.3, 0.1)), ("microphone", (0, 0)), ("paper", (0, 0.3))],
)
def test_a_covered_mouth_passes_through_and_is_no_reference(tiny, grid_clip, voice, draw, kind, rest):
    video, hidden = draw(grid_clip, kind, rest)
    items = list(tiny.generate_frames(video, voice, length="video"))
    covered = np.array([item.passed == COVERED for item in items])
    assert hidden.max() > LIPS_HIDDEN and covered[hidden > LIPS_HIDDEN].all()
    assert set(np.flatnonzero(covered)) <= set(range(START - 3, STOP + 3))
    last = int(np.flatnonzero(covered)[0]) - 1
    shares = [items[last - i].taken.max() for i in range(EASE_FRAMES + 1)]
    assert shares == sorted(shares) and shares[0] < 0.3 < 0.9 < shares[-1]
    (person,) = make_avatar(g4g.load("g4g-tiny"), video).persons.values()
    free = person.library.in_video.frames
    assert len(free) > 40 and not hidden[free].any() and not covered[free].any()


@pytest.mark.parametrize("name", FREE)
def test_a_mouth_that_speaks_freely_is_not_taken_for_covered(data_dir, name):
    clip = data_dir / "grid" / name
    if not clip.is_file():
        pytest.skip(f"no clip at {clip}")
    assert not follow_faces(read_frames(clip), make_backend("mediapipe")).covered.any()


def test_the_report_counts_covered_frames(tiny, grid_clip, voice, draw, tmp_path):
    video, _ = draw(grid_clip, "paper")
    report = tiny.dub(video, voice, tmp_path / "out.mp4", length="video", dry_run=True)
    assert list(report.passed_why) == [COVERED] and 10 < report.passed_why[COVERED] < STOP - START + 6
    assert report.frames_dubbed + report.frames_passed == 75


def test_what_is_before_the_mouth_all_the_time_is_dubbed_over(tiny, grid_clip, voice, draw, tmp_path):
    video, hidden = draw(grid_clip, "microphone", start=-20, stop=95)
    report = tiny.dub(video, voice, tmp_path / "out.mp4", length="video", dry_run=True)
    assert hidden.min() > LIPS_HIDDEN and report.frames_dubbed == 75
    Image.fromarray(next(read_frames(video)).frame).save(tmp_path / "still.png")
    report = tiny.dub(tmp_path / "still.png", voice, tmp_path / "still.mp4", dry_run=True)
    assert report.frames_dubbed == report.frames == 15
