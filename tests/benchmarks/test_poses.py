"""Which pictures moving heads are compared with, and how still ones are moved, on planted answers."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from g4g.dubbing.views import list_tried
from motions import MOTIONS, Motion, map_to_source, move_clip
from pictures import Made, compare_copy, nearest_frames, nearest_references
from poses import draw_poses, lay_beside, measure

from g4g.faces import transform_points
from g4g.generator import follow_pose
from g4g.media import VideoWriter, read_frames
from g4g.metrics import JUDGE_WEIGHTS
from g4g.metrics.report import Figure
from g4g.zoo import load


def draw_heads(turns: np.ndarray) -> np.ndarray:
    """Landmarks (T, 68, 2) of heads that differ by the nose's place and by how far the mouth is open."""
    points = np.zeros((len(turns), 68, 2))
    points[:, :17, 0] = np.linspace(20, 108, 17)
    points[:, 36:42] = [40, 40]
    points[:, 42:48] = [88, 40]
    points[:, 30, 0], points[:, 30, 1] = 64 + turns, 60
    points[:, 48:68] = [64, 90]
    points[:, 48, 0], points[:, 54, 0] = 50, 78
    points[:, 65:68, 1] += np.arange(len(turns))[:, None] % 7
    return points


def test_the_nearest_pose_is_found_among_the_references_and_far_from_the_frame_itself():
    turns = np.tile(np.linspace(-10, 10, 20), 2)
    landmarks = draw_heads(turns)
    chosen = follow_pose(landmarks)[0].ravel()
    for frame, number in enumerate(nearest_references(landmarks, chosen)):
        assert number in chosen and abs(turns[number] - turns[frame]) == np.abs(turns[chosen] - turns[frame]).min()
    assert (nearest_frames(landmarks) == (np.arange(40) + 20) % 40).all()
    assert (np.abs(nearest_frames(landmarks[:5]) - np.arange(5)) >= 2).all()


def test_copies_of_the_right_frame_have_no_error():
    crops = np.random.default_rng(0).integers(0, 255, (20, 128, 128, 3), np.uint8)
    clip = SimpleNamespace(shot=Shot(crops, draw_heads(np.zeros(20)).astype(np.float32)))
    made = Made(np.zeros_like(crops), np.array([3]), np.arange(20) == 3)
    table = compare_copy(clip, made, np.arange(20))
    assert (table[:, 1] == 0).all() and (table[:, 0] > 0).all() and table[:, 2].all(), "each is its own copy"
    table = compare_copy(clip, made, np.full(20, 5))
    assert np.flatnonzero(table[:, 2]).tolist() == [3, 5] and (np.delete(table, 5, 0)[:, 1] > 0).all()


class Shot(SimpleNamespace):
    def __init__(self, crops, landmarks):
        super().__init__(crops=crops, landmarks=landmarks)

    def __len__(self):
        return len(self.crops)


def test_a_motion_turns_and_enlarges_about_the_face_and_then_moves_it():
    face = np.array([100.0, 120.0])
    affine = map_to_source(Motion(90, (0.5, 0), 2), face, 40)
    now = np.array([[120.0, 120.0], [120.0, 140.0]])
    # Its middle has moved by half its 40 px; what was 10 px to the right lies 20 px below.
    np.testing.assert_allclose(transform_points(affine, now), [face, face + [10, 0]], atol=1e-9)
    np.testing.assert_allclose(map_to_source(MOTIONS["still"](1.3), face, 40), np.eye(2, 3), atol=1e-9)
    assert max(abs(MOTIONS["tilted 45"](t).angle) for t in np.linspace(0, 3, 76)) > 44


@pytest.fixture
def clip(tmp_path: Path, voice_file: Path) -> SimpleNamespace:
    """A short video of a bright spot at (40, 24), and what the benchmarks know of it."""
    frame = np.zeros((64, 80, 3), np.uint8)
    frame[20:29, 36:45] = 255
    path = tmp_path / "spot.mp4"
    with VideoWriter(path, 80, 64, 25, voice_file, (0, 0.48)) as writer:
        for _ in range(12):
            writer.write(frame)
    shot = Shot(np.zeros((12, 128, 128, 3), np.uint8), draw_heads(np.zeros(12)).astype(np.float32))
    to_crop = np.tile([[2.0, 0, -16], [0, 2, 16]], (12, 1, 1))
    return SimpleNamespace(source=path, start=0, shot=shot, frame_to_crop=to_crop)


def test_a_moved_video_shows_the_face_where_the_motion_puts_it(clip, tmp_path):
    moved = move_clip(clip, lambda t: Motion(shift=(0.25, 0)), tmp_path / "moved.mp4")
    pictures = [item.frame for item in read_frames(moved)]
    bright = np.argwhere(pictures[5].min(-1) > 128).mean(0)
    # A crop of 128 px shows 64 px of the frame: a quarter are 16 px.
    assert len(pictures) == 12 and np.abs(bright - [24, 56]).max() < 1


def test_a_sheet_of_poses_is_drawn(clip, tmp_path):
    draw_poses(clip, Made(clip.shot.crops, np.arange(4), np.ones(12, bool)), clip.source, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


def test_figures_of_a_motion_stand_beside_those_of_still_clips():
    still = [Figure("6", "s1 still", "jitter", 1.1, 2), Figure("6", "s1 still", "LSE-C", math.nan, 2)]
    [moved, other] = lay_beside([Figure("6", "s1 nodding", "jitter", 1.5, 2, 1.0, "real"),
                                 Figure("6", "s1 nodding", "other", 0.5, 2)], still)  # fmt: skip
    assert (moved.value, moved.baseline, moved.baseline_name) == (1.5, 1.1, "still") and other.baseline is None


def test_a_clip_is_measured_with_the_tiny_networks(real_clip, tmp_path):
    failed = []
    figures = {f.name: f for f in measure(load("g4g-tiny"), JUDGE_WEIGHTS, [real_clip], tmp_path, failed)}
    assert not failed and figures["real clips: offset within 1 frame of 0"].value == 1
    [candidates] = follow_pose(real_clip.shot.landmarks)[0]
    known = len(list_tried(np.ones(75), candidates))
    assert 75 - known - 4 <= figures["generator: mouth PSNR, dB"].count <= 75 - known - 1
    assert figures["generator: above copying the nearest reference, dB"].reached is False, "it never learnt anything"
    assert (tmp_path / f"{real_clip.name}.png").is_file()
