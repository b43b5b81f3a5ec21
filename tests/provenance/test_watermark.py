"""The mark in the picture: found after a smaller copy, not where there is none, and only where it was asked for."""

import numpy as np
import pytest

from g4g.cli import main
from g4g.errors import ConfigError
from g4g.media import probe, read_frames
from g4g.options import DubOptions
from g4g.provenance import INTACT, NONE, inspect
from g4g.provenance.watermark import AMPLITUDE, LEAST_SCORE, add_watermark, score_watermark


@pytest.fixture(scope="module")
def dubs(tiny, portrait_file, voice_file, ffmpeg, tmp_path_factory) -> dict[bool, object]:
    """A dub with the mark and one without."""
    folder = tmp_path_factory.mktemp("dubs")
    ffmpeg("-i", voice_file, "-t", 0.2, folder / "short.wav")
    return {
        wanted: tiny.dub(portrait_file, folder / "short.wav", folder / f"{wanted}.mp4", watermark=wanted)
        for wanted in (True, False)
    }


def test_it_lasts_when_the_video_is_halved_and_encoded_anew_without_its_manifest(dubs, ffmpeg, tmp_path, capsys):
    for wanted, report in dubs.items():
        small = tmp_path / f"{wanted}.mp4"
        ffmpeg("-i", report.output, "-vf", "scale=iw/2:-2", "-c:v", "libx264", "-crf", 28, small)
        found = [inspect(path, watermark=True) for path in (report.output, small)]
        assert [one.state for one in found] == [INTACT, NONE] and [one.watermark for one in found] == [wanted] * 2
    assert inspect(small).watermark is None and "watermark" not in str(inspect(small))
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "True.mp4"), "--watermark"])
    assert "watermark in the picture: yes" in capsys.readouterr().out


def test_the_report_says_so_and_pixels_change_by_little(dubs):
    marked, plain = (next(read_frames(dubs[wanted].output)).frame.astype(float) for wanted in (True, False))
    assert "and a watermark in all pixels" in dubs[True].provenance and "watermark" not in dubs[False].provenance
    assert 0.5 * AMPLITUDE < np.std(marked - plain) < 2 * AMPLITUDE


def test_a_video_whose_frames_are_planes_carries_it(tiny, data_dir, tmp_path):
    clip, out = data_dir / "grid/s1/bbaf2n.mp4", tmp_path / "out.mp4"
    assert probe(clip).is_planar
    tiny.dub(clip, clip, out, watermark=True)
    assert inspect(out, watermark=True).watermark and not inspect(clip, watermark=True).watermark


@pytest.mark.parametrize("shape", [(120, 160, 3), (270, 480, 4), (64, 36, 3)])
def test_any_size_carries_it_and_nothing_else_is_changed(shape):
    rng = np.random.default_rng(0)
    frame = np.clip(rng.normal(128, 4, shape), 0, 255).astype(np.uint8)
    frame[0] = 255
    kept, marked = frame.copy(), add_watermark(frame)
    assert np.array_equal(frame, kept) and np.array_equal(marked[..., 3:], frame[..., 3:])
    assert abs(marked[..., :3].astype(int) - frame[..., :3]).max() <= 6 * AMPLITUDE
    assert score_watermark([marked[..., :3].copy()]) >= LEAST_SCORE > score_watermark([frame[..., :3].copy()])


def test_chance_does_not_find_it():
    rng = np.random.default_rng(1)
    scores = [score_watermark([rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)]) for _ in range(100)]
    assert max(map(abs, scores)) < LEAST_SCORE and 0.5 < np.std(scores) < 1.5
    assert score_watermark([]) == 0


def test_without_provenance_there_is_none():
    with pytest.raises(ConfigError, match="`watermark` belongs to the provenance"):
        DubOptions(watermark=True, provenance=False)
