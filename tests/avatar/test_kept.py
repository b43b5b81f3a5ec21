"""Parts kept around faces come back as they were, or are read once more."""

import numpy as np
import pytest
from av.video.frame import VideoFrame as DecodedFrame
from av.video.reformatter import ColorRange, Interpolation

from g4g.avatar import kept
from g4g.avatar.kept import KeptParts
from g4g.faces import load_canonical, to_landmarks
from g4g.media.picture import PlanarPicture, PlaneColours
from g4g.media.read import TimedPicture

WIDTH, HEIGHT, FRAMES = 320, 240, 3
BOX = (120, 80, 200, 160)


@pytest.fixture
def pictures() -> list[PlanarPicture]:
    rng = np.random.default_rng(0)
    planes = [rng.integers(16, 236, (3 * HEIGHT // 2, WIDTH), np.uint8) for _ in range(FRAMES)]
    like = DecodedFrame.from_ndarray(planes[0], format="yuv420p")
    like.colorspace, like.color_range = 1, 1
    colours = PlaneColours(
        like, format="rgb24", dst_color_range=ColorRange.JPEG, src_colorspace=None, threads=1,
        interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
    )  # fmt: skip
    return [PlanarPicture(some, colours) for some in planes]


def keep_all(pictures: list[PlanarPicture], frames: int | None = None) -> KeptParts:
    parts, points = KeptParts(frames), load_canonical().points
    face = to_landmarks((points * 40 + [160, 100, 0])[None])[0]
    for number, _ in enumerate(parts.show(TimedPicture(0.0, picture) for picture in pictures)):
        parts.keep(number, [face])
    parts.close()
    return parts


def test_kept_parts_show_what_the_pictures_show_in_any_order_and_once(pictures):
    parts = keep_all(pictures)
    for number in (2, 0, 1):
        (part,) = parts.take(number, [BOX])
        np.testing.assert_array_equal(part.cut(BOX), pictures[number].cut(BOX))
        assert parts.take(number, [BOX]) is None
    assert parts.take(7, [BOX]) is None


def test_a_small_video_is_kept_whole(pictures, monkeypatch):
    whole = keep_all(pictures, FRAMES)
    assert whole.is_whole and not keep_all(pictures).is_whole
    for number in (2, 0, 1, 0):
        np.testing.assert_array_equal(whole.picture(number).planes, pictures[number].planes)
        np.testing.assert_array_equal(whole.picture(number).whole(), pictures[number].whole())
        (part,) = whole.take(number, [(0, 0, 16, 16)])
        np.testing.assert_array_equal(part.cut((0, 0, 16, 16)), pictures[number].cut((0, 0, 16, 16)))
    whole.drop()
    assert not whole.is_whole and whole.take(0, [BOX]) is None
    monkeypatch.setattr(kept, "MOST_BYTES", FRAMES * pictures[0].nbytes - 1)
    assert not keep_all(pictures, FRAMES).is_whole
    assert not keep_all(pictures, FRAMES - 1).is_whole, "it says that it has fewer frames than it has"


def test_they_take_no_memory_but_their_places(pictures):
    parts = keep_all(pictures)
    assert all(part.nbytes == 0 for stored in parts._parts.values() for part, *_ in stored)
    parts.drop()
    assert parts.take(0, [BOX]) is None


def test_more_than_is_kept_keeps_nothing(pictures, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 1000)
    assert keep_all(pictures).take(0, [BOX]) is None


def test_where_the_disk_refuses_they_stay_in_memory(pictures, monkeypatch):
    def refuse(**named):
        raise OSError("the disk is full")

    monkeypatch.setattr("g4g.memory.tempfile.TemporaryFile", refuse)
    (part,) = keep_all(pictures).take(1, [BOX])
    np.testing.assert_array_equal(part.cut(BOX), pictures[1].cut(BOX))
