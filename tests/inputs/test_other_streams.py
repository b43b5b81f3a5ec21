"""What a dub keeps of its source beside the picture: colour, other sound, subtitles, chapters, metadata."""

import av
import numpy as np
import pytest

from g4g.media import FrameFormat, VideoWriter, probe, read_frames, read_waveform
from g4g.media.encode import choose_encoding

SUBTITLES = "1\n00:00:00,200 --> 00:00:00,400\nHello there\n"
CHAPTERS = """;FFMETADATA1
title=A talk
[CHAPTER]
TIMEBASE=1/1000
START=0
END=200
title=First
[CHAPTER]
TIMEBASE=1/1000
START=200
END=600
title=Second
"""
COLOURS = {
    "BT.709": ("bt709", "bt709", "bt709", "tv"),
    "BT.709, full range": ("bt709", "bt709", "bt709", "pc"),
    "BT.601 PAL": ("bt470bg", "bt470bg", "bt470bg", "tv"),
    "BT.601 NTSC, full range": ("smpte170m", "smpte170m", "smpte170m", "pc"),
    "BT.2020 SDR": ("bt2020nc", "bt2020", "bt2020-10", "tv"),
    "not stated": None,
}
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
"""Of red and blue, by ITU-T H.273's number of the matrix."""


def shown_colours(path, colour, number=5):
    """One frame's upper quarter as a screen shows it, by the definition of Y'CbCr: float (H / 4, W, 3) in [0, 255]."""
    with av.open(str(path)) as media:
        planes = [frame for _, frame in zip(range(number + 1), media.decode(video=0), strict=False)][-1].to_ndarray()
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    low, luma_span, colour_span = (0, 255, 255) if colour.full_range else (16, 219, 224)
    luma = (planes[:height].astype(float) - low) / luma_span
    halves = (planes[height:].astype(float).reshape(2, height // 2, width // 2) - 128) / colour_span
    cb, cr = halves.repeat(2, 1).repeat(2, 2)
    weight_red, weight_blue = LUMA_WEIGHTS[colour.matrix]
    red, blue = luma + 2 * (1 - weight_red) * cr, luma + 2 * (1 - weight_blue) * cb
    green = (luma - weight_red * red - weight_blue * blue) / (1 - weight_red - weight_blue)
    return np.clip(np.stack([red, green, blue], axis=-1)[: height // 4] * 255, 0, 255)


FULL, NTSC = "BT.709, full range", "BT.601 NTSC, full range"


@pytest.mark.parametrize(
    ("name", "codec"), [*((name, "h264") for name in COLOURS), (FULL, "hevc"), (NTSC, "vp9"), (NTSC, "av1")]
)
def test_colour_outside_the_mask_is_the_sources(cut, tmp_path, name, codec):
    """The real clip's backdrop is saturated cyan: a wrong matrix or range would shift it by 5 levels and more."""
    filters = ()
    if COLOURS[name]:
        matrix, primaries, transfer, samples = COLOURS[name]
        tags = f"setparams=colorspace={matrix}:color_primaries={primaries}:color_trc={transfer}:range={samples}"
        filters = ("-vf", f"scale=out_color_matrix={matrix}:out_range={samples},format=yuv420p,{tags}")
    source = cut("source.mp4", *filters, "-c:v", "libx264", "-crf", 5)
    colour = probe(source).colour
    out = tmp_path / "out.mp4"
    stored, encoding = FrameFormat(240, 288, 25, colour=colour), choose_encoding(out, codec, crf=10)
    with VideoWriter(out, stored, encoding=encoding) as writer:
        for item in read_frames(source):
            writer.write(item.frame)
    assert probe(tmp_path / "out.mp4").colour == colour
    shift = shown_colours(tmp_path / "out.mp4", colour) - shown_colours(source, colour)
    assert np.abs(shift.mean(axis=(0, 1))).max() < 1.2 and np.abs(shift).mean() < 2.5


@pytest.fixture
def rich(cut, voice, ffmpeg, tmp_path):
    """A video with two more sound tracks, subtitles, a chapter and a title; `name` says the container."""

    def make(name):
        (tmp_path / "words.srt").write_text(SUBTITLES)
        (tmp_path / "chapters.txt").write_text(CHAPTERS)
        inputs = ("-i", cut("plain.mp4"), "-i", voice, "-i", voice, "-i", tmp_path / "words.srt")
        maps = [part for track in ("0:v", "0:a", "1:a", "2:a", "3:s") for part in ("-map", track)]
        codecs = ("-c:v", "copy", "-c:s", "mov_text" if name.endswith("mp4") else "srt")
        words = ("-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=eng")
        meta = ("-i", tmp_path / "chapters.txt", "-map_metadata", 4, "-map_chapters", 4)
        ffmpeg(*inputs, *meta, *maps, *codecs, *words, "-ac:a:2", 6, tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("source", "out", "subtitle"),
    [("a.mp4", "out.mp4", "mov_text"), ("a.mp4", "out.mkv", "srt"), ("a.mkv", "out.mov", "mov_text"),
     ("a.mkv", "out.mkv", "srt"), ("a.mkv", "out.webm", "webvtt")],
)  # fmt: skip
def test_the_other_streams_come_along(tiny, rich, voice, ffmpeg, tmp_path, source, out, subtitle):
    source = rich(source)
    report = tiny.dub(source, voice, tmp_path / out, length="video")
    with av.open(str(tmp_path / out)) as media:
        assert [s.codec_context.name for s in media.streams.subtitles] == [subtitle]
        assert [s.codec_context.channels for s in media.streams.audio] == [1, 1, 6]
        if not out.endswith("mov"):  # which has no name for mkv's "ger"
            assert media.streams.audio[1].metadata["language"] in ("deu", "ger")
        assert {key.lower(): value for key, value in media.metadata.items()}["title"] == "A talk"
        chapters = [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in media.chapters()]
        assert (0.2, "Second") in [(round(start, 3), title) for start, title in chapters]
    words = ffmpeg("-i", tmp_path / out, "-map", "0:s:0", "-f", "srt", "-").decode()
    assert "00:00:00,200 --> 00:00:00,400" in words and "Hello there" in words
    ffmpeg("-i", tmp_path / out, "-map", "0:a:1", tmp_path / "second.wav")
    before, after = read_waveform(voice), read_waveform(tmp_path / "second.wav")
    length = min(len(before), len(after))
    assert np.corrcoef(before[:length], after[:length])[0, 1] > 0.9
    assert report.warnings == ()


def test_streams_of_a_source_whose_clock_starts_late_start_with_the_picture(tiny, rich, voice, ffmpeg, tmp_path):
    ffmpeg("-i", rich("a.mkv"), "-map", 0, "-c", "copy", "-output_ts_offset", 3, tmp_path / "late.mkv")
    tiny.dub(tmp_path / "late.mkv", voice, tmp_path / "out.mkv", length="video")
    words = ffmpeg("-i", tmp_path / "out.mkv", "-map", "0:s:0", "-f", "srt", "-").decode()
    assert "00:00:00,200 --> 00:00:00,400" in words
    ffmpeg("-i", tmp_path / "out.mkv", "-map", "0:a:1", tmp_path / "second.wav")
    before, after = read_waveform(voice), read_waveform(tmp_path / "second.wav")
    assert np.corrcoef(before[:9000], after[:9000])[0, 1] > 0.9


def test_subtitles_that_are_pictures_stay_in_mkv_and_are_named_elsewhere(tiny, cut, voice, ffmpeg, tmp_path):
    segments = [b"\x16\x00\x0b" + bytes([0, 240, 1, 32, 16, 0, 0, 128, 0, 0, 0]), b"\x80\x00\x00"]  # an empty screen
    (tmp_path / "words.sup").write_bytes(b"".join(b"PG" + bytes(8) + segment for segment in segments))
    inputs = ("-i", cut("plain.mp4"), "-i", tmp_path / "words.sup", "-map", 0, "-map", 1)
    ffmpeg(*inputs, "-c", "copy", tmp_path / "a.mkv")
    report = tiny.dub(tmp_path / "a.mkv", voice, tmp_path / "out.mp4", length="video")
    assert report.warnings == ("subtitle track 1 (pgssub) is left out: only .mkv can hold it",)
    report = tiny.dub(tmp_path / "a.mkv", voice, tmp_path / "out.mkv", length="video")
    assert report.warnings == ()


def test_a_sound_track_that_nothing_can_decode_is_left_out_and_said(tiny, rich, voice, tmp_path):
    """As iPhones write: beside AAC a spatial track in a codec of their own."""
    source = rich("a.mp4")
    data = source.read_bytes()
    for name, unknown in ((b"mp4a", b"apac"), (b"esds", b"free")):
        first, second, rest = data.split(name, 2)
        data = first + name + second + unknown + rest
    source.write_bytes(data)
    report = tiny.dub(source, voice, tmp_path / "out.mp4", length="video")
    assert report.warnings == ("sound track 2 is left out: its codec is unknown",)
    with av.open(str(tmp_path / "out.mp4")) as media:
        assert [s.codec_context.channels for s in media.streams.audio] == [1, 6]


def test_prores_has_no_full_range_so_the_picture_is_converted(cut, tmp_path):
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=pc"
    full = cut("full.mp4", "-vf", f"scale=out_color_matrix=bt709:out_range=pc,format=yuv420p,{tags}", "-crf", 5)
    out = tmp_path / "out.mov"
    stored = FrameFormat(240, 288, 25, colour=probe(full).colour)
    with VideoWriter(out, stored, encoding=choose_encoding(out, "prores")) as writer:
        for item in read_frames(full):
            writer.write(item.frame)
    before, after = (next(read_frames(path)).frame.astype(int) for path in (full, tmp_path / "out.mov"))
    assert np.abs((after - before).mean(axis=(0, 1))).max() < 1.2 and not probe(tmp_path / "out.mov").colour.full_range
