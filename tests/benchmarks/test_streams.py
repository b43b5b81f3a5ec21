"""A stream that is written to a file is in time with a dub of the same sound, frame by frame and sample by sample."""

import numpy as np
import pytest
from streams import check_sound, write_stream

import g4g
from g4g.errors import DataError
from g4g.media import probe, read_frames, read_waveform


def test_a_written_stream_is_in_time_with_a_dub(portrait_file, voice, tmp_path):
    dubber = g4g.Dubber.from_pretrained("g4g-tiny-live", engine="torch")
    avatar = tmp_path / "ann.avatar"
    dubber.make_avatar(portrait_file, avatar)
    dubber.dub(avatar, voice, tmp_path / "dub.mp4")
    write_stream(dubber, avatar, voice, tmp_path / "stream.mp4")
    ours, theirs = (
        np.stack([item.frame for item in read_frames(tmp_path / name)]).astype(np.float32)
        for name in ("stream.mp4", "dub.mp4")
    )
    assert probe(tmp_path / "stream.mp4").fps == probe(tmp_path / "dub.mp4").fps and len(ours) == len(theirs) == 15
    apart = [np.mean([np.square(ours[n + shift] - theirs[n]).mean() for n in range(2, 13)]) for shift in range(-2, 3)]
    assert np.argmin(apart) == 2 and apart[2] < 0.5 * min(apart[1], apart[3])
    sounds = [np.asarray(read_waveform(tmp_path / name))[:9_000] for name in ("stream.mp4", "dub.mp4")]
    np.testing.assert_allclose(*sounds, atol=1e-3)


def test_sound_that_comes_out_late_cut_or_changed_is_refused():
    pushed = np.arange(1, 2_001, dtype=np.int16)
    check_sound(np.pad(pushed, (0, 500)), pushed)
    for heard in (np.pad(pushed, (1, 500)), pushed[:-1], np.pad(pushed + (pushed == 9), (0, 9)), np.tile(pushed, 2)):
        with pytest.raises(DataError, match="not the one that was pushed"):
            check_sound(heard, pushed)
