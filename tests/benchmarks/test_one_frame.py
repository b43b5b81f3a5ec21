"""The picture of one frame's way is drawn from a real dub."""

import sys

import pytest
from PIL import Image

pytest.importorskip("skimage", reason="needs the extra demo: pip install g4g[demo]")


def test_the_way_of_one_frame_is_drawn(tmp_path, monkeypatch):
    import one_frame

    paint = one_frame.Painter.paint
    monkeypatch.setattr(one_frame, "FRAMES", 8)
    monkeypatch.setattr(sys, "argv", ["one_frame.py", "--weights", "g4g-tiny", "--out", str(tmp_path / "way.png")])
    one_frame.main()
    assert one_frame.Painter.paint is paint
    with Image.open(tmp_path / "way.png") as picture:
        side = one_frame.CropConfig().size * one_frame.SCALE
        assert picture.size == (3 * side, 2 * side)
        source, points = picture.crop((0, 40, side, side)), picture.crop((side, 40, 2 * side, side))
    assert source.tobytes() != points.tobytes()
