"""Containers and codecs: what comes in is read, what goes out is what its name and --codec say."""

import av
import numpy as np
import pytest

import g4g
from g4g.media import FrameFormat, NewSound, VideoWriter, probe, read_frames, read_waveform
from g4g.media.encode import choose_encoding

VIDEOS = {
    "h264.mp4": ("-c:v", "libx264"),
    "h264.mov": ("-c:v", "libx264"),
    "h264.mkv": ("-c:v", "libx264"),
    "h264.ts": ("-c:v", "libx264"),
    "hevc.mp4": ("-c:v", "libx265", "-x265-params", "log-level=error"),
    "vp8.webm": ("-c:v", "libvpx", "-b:v", "1M", "-c:a", "libopus"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"),
    "av1.mp4": ("-c:v", "libsvtav1", "-preset", "12"),
    "av1.mkv": ("-c:v", "libsvtav1", "-preset", "12"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "3", "-c:a", "libmp3lame"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-q:v", "3", "-c:a", "pcm_s16le"),
    "mpeg1.mpg": ("-c:v", "mpeg1video", "-q:v", "3", "-c:a", "mp2"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2"),
    "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "animation.gif": ("-an",),
}
SOUNDS = {
    "aac.m4a": ("-c:a", "aac"),
    "mp3.mp3": ("-c:a", "libmp3lame"),
    "opus.ogg": ("-c:a", "libopus"),
    "opus.webm": ("-c:a", "libopus"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "flac.flac": ("-c:a", "flac"),
    "u8.wav": ("-c:a", "pcm_u8"),
    "s16.wav": ("-c:a", "pcm_s16le"),
    "s24.wav": ("-c:a", "pcm_s24le"),
    "s32.wav": ("-c:a", "pcm_s32le"),
    "f32.wav": ("-c:a", "pcm_f32le"),
    "8khz.wav": ("-ar", 8000),
    "96khz.flac": ("-ar", 96_000),
    "192khz.wav": ("-ar", 192_000),
    "stereo.mp3": ("-ac", 2),
    "5.1.flac": ("-ac", 6),
    "5.1.m4a": ("-ac", 6),
}
OUTPUTS = [
    ("out.mp4", None, "h264", "aac"),
    ("out.mp4", "hevc", "hevc", "aac"),
    ("out.mp4", "vp9", "vp9", "aac"),
    ("out.mp4", "av1", "av1", "aac"),
    ("out.m4v", None, "h264", "aac"),
    ("out.mov", None, "h264", "aac"),
    ("out.mov", "prores", "prores", "aac"),
    ("out.mkv", None, "h264", "aac"),
    ("out.mkv", "prores", "prores", "aac"),
    ("out.webm", None, "vp9", "opus"),
    ("out.webm", "av1", "av1", "opus"),
]


def codecs_of(path):
    with av.open(str(path)) as media:
        return [stream.codec.canonical_name for stream in media.streams]


@pytest.mark.parametrize("name", VIDEOS)
def test_a_video_of_any_kind_is_dubbed(tiny, cut, voice, tmp_path, name):
    source = cut(name, *VIDEOS[name])
    report = tiny.dub(source, voice, tmp_path / "out.mp4", length="video")
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, report.frames) == (240, 288, 15)
    assert report.frames_dubbed == 15 and len(list(read_frames(tmp_path / "out.mp4"))) == 15
    assert info.fps == probe(source).fps or name == "mpeg4.avi"  # ffmpeg leaves a hole in that avi: kept as it is
    assert len(read_waveform(tmp_path / "out.mp4")) == pytest.approx(info.duration_s * 16_000, abs=0.025 * 16_000)


def test_a_folder_of_pictures_is_dubbed_in_the_order_of_its_numbers(tiny, cut, voice, ffmpeg, tmp_path):
    (tmp_path / "frames").mkdir()
    ffmpeg("-i", cut("a.mp4"), tmp_path / "frames" / "f%d.png")  # f10 sorts before f2
    (tmp_path / "frames" / "notes.txt").write_text("not a picture")
    report = tiny.dub(tmp_path / "frames", voice, tmp_path / "out.mp4")
    assert (report.frames, report.frames_dubbed, report.fps) == (15, 15, 25.0)
    for before, after in zip(read_frames(cut("a.mp4")), read_frames(tmp_path / "frames"), strict=True):
        assert np.abs(before.frame - after.frame.astype(int)).mean() < 2
        assert before.time_s == after.time_s


def test_a_folder_of_mixed_sizes_or_without_pictures_is_one_sentence(cut, ffmpeg, tmp_path):
    with pytest.raises(g4g.MediaError, match="is a folder without pictures"):
        probe(tmp_path)
    for number, size in enumerate(("64x48", "48x64")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc=s={size}", "-frames:v", 1, tmp_path / f"{number}.png")
    with pytest.raises(g4g.MediaError, match="1.png has 48 x 64 px, the first .* 64 x 48"):
        list(read_frames(tmp_path))


@pytest.mark.parametrize("name", SOUNDS)
def test_a_sound_of_any_kind_is_read_and_heard(voice, ffmpeg, tmp_path, name):
    ffmpeg("-i", voice, *SOUNDS[name], tmp_path / name)
    before, after = read_waveform(voice), read_waveform(tmp_path / name)
    length = min(len(before), len(after))
    assert len(after) == pytest.approx(len(before), abs=0.1 * 16_000)
    assert np.corrcoef(before[:length], after[:length])[0, 1] > 0.9
    with VideoWriter(tmp_path / "out.webm", FrameFormat(64, 48, 25), NewSound(tmp_path / name)) as writer:
        for _ in range(15):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    heard = read_waveform(tmp_path / "out.webm")[:length]
    assert np.corrcoef(before[: len(heard)], heard)[0, 1] > 0.9


@pytest.mark.parametrize(("name", "codec", "video", "audio"), OUTPUTS)
def test_the_output_is_what_its_name_and_codec_say(cut, voice, tmp_path, name, codec, video, audio):
    frames = list(read_frames(cut("a.mkv")))
    encoding = choose_encoding(tmp_path / name, codec)
    with VideoWriter(tmp_path / name, FrameFormat(240, 288, 25), NewSound(voice), encoding=encoding) as writer:
        for item in frames:
            writer.write(item.frame)
    assert codecs_of(tmp_path / name) == [video, audio]
    found = list(read_frames(tmp_path / name))
    assert np.allclose([f.time_s for f in found], np.arange(15) / 25, atol=1e-3)
    errors = [np.abs(a.frame - b.frame.astype(int)).mean() for a, b in zip(frames, found, strict=True)]
    assert max(errors) < 4


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("out.webm", {"codec": "h264"}, "must be one of vp9, av1 in .webm, got 'h264'"),
        ("out.mp4", {"codec": "divx"}, "must be one of h264, hevc, vp9, av1 in .mp4, got 'divx'"),
        ("out.mp4", {"crf": 52}, r"must be 0 \(best\) to 51 \(worst\), got 52"),
        ("out.mov", {"codec": "prores", "crf": 20}, "no crf"),
    ],
)
def test_codecs_and_qualities_that_do_not_fit_are_one_sentence(tmp_path, name, settings, words):
    with pytest.raises(g4g.ConfigError, match=words):
        choose_encoding(tmp_path / name, **settings)


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1"])
def test_a_higher_crf_makes_a_smaller_file(cut, tmp_path, codec):
    frames = list(read_frames(cut("a.mkv")))[:5]
    sizes = []
    for crf in (15, 45):
        out = tmp_path / f"{crf}.mkv"
        with VideoWriter(out, FrameFormat(240, 288, 25), encoding=choose_encoding(out, codec, crf)) as writer:
            for item in frames:
                writer.write(item.frame)
        sizes.append(out.stat().st_size)
    assert sizes[1] < sizes[0] / 2
