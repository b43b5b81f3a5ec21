"""Planar pictures: parts are exactly as in the whole, and what no patch changes stays as it was decoded."""

import itertools

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Interpolation

from g4g.media import probe
from g4g.media.picture import Patch, PlanarPicture, PlaneColours, PlaneMaker, RgbPicture, even_box, lay_patches
from g4g.media.read import read_pictures

WIDTH, HEIGHT = 226, 174
EXTREMES = list(itertools.product((0, 16, 235, 255), (0, 128, 255), (0, 128, 255)))


@pytest.fixture(scope="module", params=[("bt709", "tv"), ("smpte170m", "tv"), ("bt709", "pc")])
def planar(request, tmp_path_factory):
    """A video of noise with the given matrix and range, and its frames as stored."""
    path = tmp_path_factory.mktemp("planar") / "noise.mkv"
    rng, matrix, sample_range = np.random.default_rng(0), *request.param
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"color_range": sample_range})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = {"bt709": 1, "smpte170m": 6}[matrix], {"tv": 1, "pc": 2}[sample_range]
        stored = [rng.integers(16, 236, (HEIGHT * 3 // 2, WIDTH)).astype(np.uint8) for _ in range(2)]
        for planes in stored:
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.colorspace, frame.color_range = context.colorspace, context.color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path, stored


@pytest.mark.parametrize("is_exact", [True, False])
def test_parts_are_exactly_as_in_the_whole(planar, is_exact):
    path, stored = planar
    rng = np.random.default_rng(1)
    for (picture, planes), _ in zip(_pair(path, stored, is_exact), range(2), strict=True):
        assert isinstance(picture, PlanarPicture) and (picture.planes == planes).all()
        whole = picture.whole()
        boxes = [(0, 0, WIDTH, HEIGHT), (WIDTH - 31, HEIGHT - 7, WIDTH, HEIGHT), (5, 3, 6, 4)]
        corners = rng.integers(0, [WIDTH - 8, HEIGHT - 8], (40, 2))
        sizes = rng.integers(1, 120, (40, 2))
        boxes += [(x, y, min(x + w, WIDTH), min(y + h, HEIGHT)) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
        for left, top, right, bottom in boxes:
            np.testing.assert_array_equal(picture.cut((left, top, right, bottom)), whole[top:bottom, left:right])


def test_only_what_a_patch_changes_changes(planar):
    path, stored = planar
    info, (picture, _) = probe(path), next(_pair(path, stored))
    assert info.is_planar
    maker = PlaneMaker(info.colour)
    box = (40, 60, 140, 120)
    source = picture.cut(box)
    frame = source.copy()
    frame[21:31, 33:41] = 255 - frame[21:31, 33:41]
    planes = maker.make(picture, [Patch(box, source, frame)])
    where = np.argwhere(planes[:HEIGHT] != stored[0][:HEIGHT])
    assert len(where) and (where.min(0) >= [81, 73]).all() and (where.max(0) < [91, 81]).all()
    old, new = (p[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2) for p in (stored[0], planes))
    where = np.argwhere((old != new).any(0))
    assert len(where) and (where.min(0) >= [40, 36]).all() and (where.max(0) < [46, 41]).all()
    whole = lay_patches(picture, [Patch(box, source, frame)])
    other = maker.make(RgbPicture(whole), [])
    np.testing.assert_array_equal(planes[81:91, 73:81], other[81:91, 73:81])
    inside = (slice(None), slice(41, 45), slice(37, 40))
    np.testing.assert_array_equal(new[inside], other[HEIGHT:].reshape(old.shape)[inside])
    np.testing.assert_array_equal(maker.make(picture, [Patch(box, source, source)]), stored[0])


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", [1, 4, 5, 6, 7, 9])
def test_our_conversion_is_libswscales_to_the_bit(matrix, is_full):
    like = av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), format="yuv420p")
    like.colorspace, like.color_range = matrix, 2 if is_full else 1
    exact = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    reading = {"format": "rgb24", "dst_color_range": ColorRange.JPEG, "src_colorspace": None, "threads": 1}
    colours = PlaneColours(like, interpolation=exact, **reading)
    assert colours.factors is not None
    planes = np.random.default_rng(matrix).integers(0, 256, (72, 64)).astype(np.uint8)
    flat = [np.repeat(np.uint8(levels), [48 * 64, 12 * 64, 12 * 64]).reshape(72, 64) for levels in EXTREMES]
    for shown in (planes, *flat):
        picture = PlanarPicture(shown, colours)
        np.testing.assert_array_equal(picture.cut((0, 0, 64, 48)), picture.whole())
    assert picture.cut((10, 4, 10, 20)).shape == (16, 0, 3)
    quick = PlaneColours(like, interpolation=Interpolation.BILINEAR, **reading)
    assert quick.factors is None, "another conversion is left to libswscale"
    np.testing.assert_array_equal(PlanarPicture(planes, quick).cut((9, 3, 40, 31)), quick.to_rgb(planes)[3:31, 9:40])


def test_only_the_changed_part_of_a_patch_is_converted_and_gives_what_the_whole_does(planar, monkeypatch):
    path, stored = planar
    maker, picture = PlaneMaker(probe(path).colour), next(_pair(path, stored))[0]
    box = (0, 0, WIDTH, HEIGHT)
    source = picture.cut(box)
    frame, sizes, convert = source.copy(), [], maker._to_planes
    frame[100:131, 83:150] = 255 - frame[100:131, 83:150]
    monkeypatch.setattr(maker, "_to_planes", lambda part: sizes.append(part.shape) or convert(part))
    planes, whole = maker.make(picture, [Patch(box, source, frame)]), convert(frame)
    changed = (frame != source).any(-1)
    np.testing.assert_array_equal(planes[:HEIGHT], np.where(changed, whole[:HEIGHT], stored[0][:HEIGHT]))
    blocks = changed.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any((1, 3))
    old, made, new = (p[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2) for p in (stored[0], whole, planes))
    np.testing.assert_array_equal(new, np.where(blocks, made, old))
    assert len(sizes) == 1 and sizes[0][0] < HEIGHT and sizes[0][1] < WIDTH


def test_later_patches_lie_on_earlier_ones():
    picture = RgbPicture(np.zeros((20, 30, 3), np.uint8))
    first, second = (np.full((8, 8, 3), level, np.uint8) for level in (50, 90))
    patches = [Patch((-4, 2, 4, 10), first, first), Patch((2, 4, 10, 12), second, second)]
    whole = lay_patches(picture, patches)
    assert whole[3, 0, 0] == 50 and whole[5, 3, 0] == 90 and whole[12, 3, 0] == 0 and picture.whole().max() == 0
    for left, top in itertools.product((0, 2, 4), (0, 4, 6)):
        box = (left, top, left + 12, top + 9)
        np.testing.assert_array_equal(lay_patches(picture, patches, box), whole[box[1] : box[3], box[0] : box[2]])


def test_boxes_are_even_and_inside():
    assert even_box(np.array([[3.2, 5.9], [10.1, 7.0]]), 2, (20, 30)) == (0, 2, 14, 10)
    assert even_box(np.array([[25.0, -9.0], [60.0, 70.0]]), 2, (20, 30)) == (22, 0, 30, 20)
    left, top, right, bottom = even_box(np.array([[95.0, 5.0], [99.0, 7.0]]), 2, (20, 30))
    assert left == right == 30 and (top, bottom) == (2, 10)


@pytest.mark.parametrize("is_exact", [True, False])
def test_a_kept_part_shows_what_the_whole_exact_picture_shows(planar, is_exact):
    path, stored = planar
    exact, read = (next(_pair(path, stored, how))[0] for how in (True, is_exact))
    for left, top, right, bottom in ((20, 30, 90, 110), (0, 0, 40, 30), (50, 40, WIDTH, HEIGHT), (0, 0, WIDTH, HEIGHT)):
        part = read.part((left, top, right, bottom))
        inner = (left and left + 2, top and top + 2, right - 2 * (right < WIDTH), bottom - 2 * (bottom < HEIGHT))
        assert part.holds(inner) and part.size == exact.size and part.nbytes == 1.5 * (right - left) * (bottom - top)
        np.testing.assert_array_equal(part.cut(inner), exact.cut(inner))
        wider = [(inner[0] - 1, *inner[1:])] * (left > 0) + [(*inner[:2], inner[2] + 1, inner[3])] * (right < WIDTH)
        assert not any(map(part.holds, wider))
    assert read.part((20, 30, 20, 40)) is None


def _pair(path, stored, is_exact=True):
    return zip((item.picture for item in read_pictures(path, is_exact=is_exact)), stored, strict=True)
