"""VideoWriter: pictures and sound survive the way to disk and back; a failure leaves nothing behind."""

import gc
from pathlib import Path

import av
import numpy as np
import pytest

import g4g.media.write as write_module
from g4g.errors import MediaError, ShapeError
from g4g.media import FrameFormat, NewSound, VideoWriter, probe, read_frames, read_waveform
from g4g.media.encode import CODECS, Codec

COLOURS = np.array([[200, 60, 40], [40, 180, 60], [50, 70, 210], [224, 180, 150], [16, 16, 16], [240, 240, 240]])
RATE_HZ = 16_000


def make_frame(height, width, shift=0):
    """Six broad stripes of plain colour."""
    stripes = np.roll(COLOURS, shift, axis=0)[np.arange(width) * len(COLOURS) // width]
    return np.broadcast_to(stripes.astype(np.uint8), (height, width, 3))


def write_clip(path, count=25, size=(96, 120), fps=25.0, sound=None, times_s=None, **settings):
    frames = [make_frame(*size, shift=i // 5) for i in range(count)]
    with VideoWriter(path, FrameFormat(size[1], size[0], fps, times_s), sound, **settings) as writer:
        for frame in frames:
            writer.write(frame)
    return frames


@pytest.mark.parametrize("size", [(96, 120), (241, 287), (240, 287), (720, 1280)])
def test_colours_sizes_and_count_come_back(tmp_path, size):
    planted = write_clip(tmp_path / "out.mp4", count=12, size=size)
    found = [f.frame for f in read_frames(tmp_path / "out.mp4")]
    assert len(found) == 12 and found[0].shape == (*size, 3)
    stripe = size[1] // 6
    middles = np.arange(6) * size[1] // 6 + stripe // 2  # away from the stripes' edges, where 4:2:0 mixes colours
    for before, after in zip(planted, found, strict=True):
        assert np.abs(before[:, middles].astype(int) - after[:, middles]).max() <= 5
    assert np.abs(np.mean(planted, axis=(0, 1, 2)) - np.mean(found, axis=(0, 1, 2))).max() <= 1.5


def test_ffmpeg_reads_the_same_colours_by_the_tags(tmp_path, ffmpeg):
    write_clip(tmp_path / "out.mp4", count=1, size=(96, 120))
    to_rgb = ("-vf", "scale=flags=accurate_rnd+full_chroma_int", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    raw = ffmpeg("-i", tmp_path / "out.mp4", *to_rgb)
    frame = np.frombuffer(raw, np.uint8).reshape(96, 120, 3)
    assert np.abs(frame[48, 10::20].astype(int) - COLOURS).max() <= 5


@pytest.mark.parametrize("fps", [25.0, 24.0, 30000 / 1001, 23.976, 50.0])
def test_rate_and_times(tmp_path, fps):
    write_clip(tmp_path / "out.mp4", count=20, fps=fps)
    info = probe(tmp_path / "out.mp4")
    assert info.fps == pytest.approx(fps, rel=1e-6) and info.frame_count == 20
    times_s = [f.time_s for f in read_frames(tmp_path / "out.mp4")]
    assert np.allclose(times_s, np.arange(20) / fps, atol=1e-4)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize("count", [40, 75])
def test_sound_is_in_sync_and_as_long_as_the_picture(tmp_path, click_wav, name, count):
    write_clip(tmp_path / name, count=count, sound=NewSound(click_wav))
    waveform = read_waveform(tmp_path / name)
    assert np.argmax(waveform) / RATE_HZ == pytest.approx(1.0, abs=1e-3)
    assert len(waveform) / RATE_HZ == pytest.approx(count / 25, abs=0.025)  # AAC comes in blocks of 1024 samples
    assert not np.abs(waveform[int(1.1 * RATE_HZ) :]).max() > 0.02


@pytest.mark.parametrize("name", ["source.ts", "source.mp4", "source.mkv"])
def test_sound_of_a_video_that_starts_late(tmp_path, click_wav, ffmpeg, name):
    source = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2", "-itsoffset", 0.3, "-i", click_wav)
    ffmpeg(*source, "-c:a", "aac", tmp_path / name)
    write_clip(tmp_path / "out.mp4", count=50, sound=NewSound(tmp_path / name))
    assert np.argmax(read_waveform(tmp_path / "out.mp4")) / RATE_HZ == pytest.approx(1.3, abs=1e-3)


def test_the_sound_is_heard_in_its_span_only(tmp_path, click_wav):
    write_clip(tmp_path / "out.mp4", count=50, sound=NewSound(click_wav, (0.5, 2.0)))
    assert np.argmax(read_waveform(tmp_path / "out.mp4")) / RATE_HZ == pytest.approx(1.5, abs=1e-3)
    write_clip(tmp_path / "out.mp4", count=50, sound=NewSound(click_wav, (0, 0.9)), overwrite=True)
    waveform = read_waveform(tmp_path / "out.mp4")
    assert np.abs(waveform).max() < 0.02 and len(waveform) / RATE_HZ == pytest.approx(2.0, abs=0.025)


def test_stream_layout(tmp_path, click_wav):
    write_clip(tmp_path / "out.mp4", sound=NewSound(click_wav))
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "fast start: the index comes first"


def test_many_noisy_frames_do_not_lock_up(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 240, 320, 3), np.uint8)
    with VideoWriter(tmp_path / "out.mp4", FrameFormat(320, 240, 25)) as writer:
        for i in range(60):
            writer.write(noise[i % 4])
    assert probe(tmp_path / "out.mp4").frame_count == 60


def test_exception_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with VideoWriter(tmp_path / "out.mp4", FrameFormat(120, 96, 25)) as writer:
            writer.write(make_frame(96, 120))
            assert not (tmp_path / "out.mp4").exists()
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_output_has_ordinary_rights_and_no_temporary_files(tmp_path):
    write_clip(tmp_path / "out.mp4")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out.mp4").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "plain"]


def test_existing_output_is_refused_and_kept(tmp_path):
    (tmp_path / "out.mp4").write_text("precious")
    with pytest.raises(MediaError, match="exists"):
        write_clip(tmp_path / "out.mp4")
    with pytest.raises(ZeroDivisionError):
        with VideoWriter(tmp_path / "out.mp4", FrameFormat(120, 96, 25), overwrite=True):
            raise ZeroDivisionError
    assert (tmp_path / "out.mp4").read_text() == "precious"
    write_clip(tmp_path / "out.mp4", overwrite=True)
    assert probe(tmp_path / "out.mp4").frame_count == 25


def test_output_that_appears_meanwhile_is_kept(tmp_path):
    with pytest.raises(MediaError, match="exists"):
        with VideoWriter(tmp_path / "out.mp4", FrameFormat(120, 96, 25)) as writer:
            writer.write(make_frame(96, 120))
            (tmp_path / "out.mp4").write_text("another program's")
    assert (tmp_path / "out.mp4").read_text() == "another program's"


def test_file_name_that_looks_like_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip("-y %d: x.mp4")
    assert probe("-y %d: x.mp4").frame_count == 25


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": "absent/out.mp4"}, "output folder .* does not exist"),
        ({"path": "out.xyz"}, "must end in"),
        ({"path": "folder.mp4"}, "is a folder"),
        ({"width": 0}, "must be above 0"),
        ({"fps": 0.0}, "must be above 0"),
        ({"fps": float("nan")}, "must be above 0"),
        ({"file": "absent.wav"}, "no such file"),
        ({"file": "silent.mp4"}, "no audio stream"),
    ],
)
def test_wrong_settings(tmp_path, make_clip, monkeypatch, settings, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.mp4").mkdir()
    make_clip(np.zeros((2, 48, 64, 3), np.uint8), "silent.mp4")
    with pytest.raises(MediaError, match=words):
        given = {"path": "out.mp4", "width": 120, "height": 96, "fps": 25.0, "file": None} | settings
        sound = NewSound(Path(given["file"])) if given["file"] else None
        VideoWriter(given["path"], FrameFormat(given["width"], given["height"], given["fps"]), sound)


def test_wrong_frames(tmp_path):
    writer = VideoWriter(tmp_path / "out.mp4", FrameFormat(120, 96, 25))
    with pytest.raises(MediaError, match="inside its with block"):
        writer.write(make_frame(96, 120))
    with pytest.raises(ShapeError, match=r"\(96, 120, 3\), got uint8 \(120, 96, 3\)"):
        with writer:
            writer.write(make_frame(120, 96))
    with pytest.raises(ShapeError, match="got float64"):
        with writer:
            writer.write(make_frame(96, 120) / 255)
    with pytest.raises(MediaError, match="no frame was written"):
        with writer:
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [1, 400])
def test_failed_encoder_tells_its_reason(tmp_path, monkeypatch, count):
    monkeypatch.setitem(CODECS, "h264", Codec(("-c:v", "libx264", "-preset", "nonsense"), crf=18))
    with pytest.raises(MediaError, match="(?s)cannot encode .*nonsense"):
        write_clip(tmp_path / "out.mp4", count=count)
    assert list(tmp_path.iterdir()) == []


def test_failed_mux_tells_its_reason(tmp_path, monkeypatch, click_wav):
    monkeypatch.setattr(write_module, "AUDIO_BITRATE", "nonsense")
    with pytest.raises(MediaError, match="(?s)cannot write .*nonsense"):
        write_clip(tmp_path / "out.mp4", sound=NewSound(click_wav))
    assert list(tmp_path.iterdir()) == [click_wav]


def test_frames_at_one_time_are_told_apart(tmp_path):
    times_s = np.array([0, 0.04, 0.04, 0.02, 0.2])
    write_clip(tmp_path / "out.mp4", count=5, times_s=times_s)
    found_s = [f.time_s for f in read_frames(tmp_path / "out.mp4")]
    assert np.allclose(found_s, [0, 0.04, 0.04, 0.04, 0.2], atol=1e-3) and len(set(found_s)) == 5


def test_a_whole_new_sound_keeps_its_own_channels(tmp_path, click_wav, ffmpeg):
    source = ("-f", "lavfi", "-i", "testsrc=s=120x96:r=30000/1001:d=1", "-f", "lavfi", "-i", "sine=r=8000:d=1")
    ffmpeg(*source, tmp_path / "source.mp4")
    sound = NewSound(click_wav, (0, 29 * 1001 / 30000 - 1e-9))
    write_clip(tmp_path / "out.mp4", count=29, fps=30000 / 1001, sound=sound, source=tmp_path / "source.mp4")
    with av.open(str(tmp_path / "out.mp4")) as media:
        assert [track.rate for track in media.streams.audio] == [48_000]


def test_an_interrupt_before_the_encoder_stands_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("g4g.media.write.Path.open", interrupt)
    writer = VideoWriter(tmp_path / "out.mp4", FrameFormat(64, 48, 25))
    with pytest.raises(KeyboardInterrupt):
        writer.__enter__()
    del writer
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
@pytest.mark.parametrize("mix", ["replace", "duck"])
def test_a_sound_that_is_encoded_beside_the_frames_is_the_same(tmp_path, click_wav, ffmpeg, name, mix):
    inputs = ("-f", "lavfi", "-i", "testsrc=s=120x96:r=25:d=2", "-f", "lavfi", "-i", "sine=r=16000:d=2")
    ffmpeg(*inputs, tmp_path / "source.mkv")
    settings = {"sound": NewSound(click_wav, (0.2, 1.5), mix), "source": tmp_path / "source.mkv"}
    sounds = []
    for planned in (None, 45, 50):  # the last one is wrong
        out = tmp_path / f"{planned}{name}"
        write_clip(out, count=45, planned_frames=planned, **settings)
        with av.open(str(out)) as media:
            packets = [(packet.pts, bytes(packet)) for packet in media.demux(audio=0)]
        sounds.append((packets, read_waveform(out).tobytes()))
    assert len(sounds[0][0]) > 25 and sounds[0] == sounds[1] == sounds[2]


def test_a_sound_that_fails_beside_the_frames_tells_its_reason(tmp_path, monkeypatch, click_wav):
    monkeypatch.setattr(write_module, "AUDIO_BITRATE", "nonsense")
    with pytest.raises(MediaError, match="(?s)cannot write the sound of .*nonsense"):
        write_clip(tmp_path / "out.mp4", sound=NewSound(click_wav), planned_frames=25)
    assert list(tmp_path.iterdir()) == [click_wav]


def test_frames_that_fail_end_the_sound_beside_them(tmp_path, click_wav):
    with (
        pytest.raises(ShapeError),
        VideoWriter(tmp_path / "out.mp4", FrameFormat(64, 48, 25), NewSound(click_wav), planned_frames=2) as writer,
    ):
        for _ in range(2):
            writer.write(np.zeros((48, 64, 3), np.uint8))
        sound = writer._encoded_sound
        writer.write(np.zeros((3, 4, 3), np.uint8))
    assert sound._process.poll() is not None and list(tmp_path.iterdir()) == [click_wav]
