"""Pictures of every shape: what is shown is dubbed and keeps its size; what is altered is said."""

import av
import numpy as np
import pytest

import g4g
from g4g.media import FrameFormat, VideoWriter, probe, read_frames
from g4g.media.colour import Colour
from g4g.media.encode import choose_encoding

PLAIN = (240, 288)
TAG_709 = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
TO_LINEAR = f"{TAG_709},zscale=t=linear:npl=203,format=gbrpf32le"
"""203 cd/m2 is the white of SDR pictures within HDR (ITU-R BT.2408)."""


def dub(tiny, source, voice, out, **settings):
    report = tiny.dub(source, voice, out, length="video", **settings)
    assert report.frames == 15 and report.frames_dubbed == 15
    return report, probe(out)


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_rotated_video_is_dubbed_upright(tiny, cut, voice, ffmpeg, tmp_path, angle):
    turns = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}[angle]
    stored, turned = cut("stored.mp4", "-vf", turns, "-an"), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", angle, "-i", stored, "-c", "copy", turned)
    _, info = dub(tiny, turned, voice, tmp_path / "out.mp4")
    assert (info.width, info.height, info.rotation) == (*PLAIN, 0)
    upright, found = (next(read_frames(path)).frame for path in (cut("plain.mp4"), tmp_path / "out.mp4"))
    assert np.abs(upright[:70] - found[:70].astype(int)).mean() < 5


@pytest.mark.parametrize("size", [(241, 289), (241, 288), (288, 240)])
@pytest.mark.parametrize(("name", "codec"), [("out.mp4", None), ("out.webm", None), ("out.mov", "prores")])
def test_any_size_is_kept(cut, tmp_path, size, name, codec):
    frames = [
        item.frame for item in read_frames(cut("source.mkv", "-vf", f"scale={size[0]}:{size[1]}", "-c:v", "ffv1"))
    ]
    encoding = choose_encoding(tmp_path / name, codec)
    with VideoWriter(tmp_path / name, FrameFormat(*size, 25), encoding=encoding) as writer:
        for frame in frames[:5]:
            writer.write(frame)
    found = [item.frame for item in read_frames(tmp_path / name)]
    assert found[0].shape == (size[1], size[0], 3)
    assert np.abs(frames[4] - found[4].astype(int)).mean() < 6


@pytest.mark.parametrize("size", ["241:289", "160:120", "1080:1296", "3840:2160"])
def test_small_and_large_faces_are_dubbed(tiny, cut, voice, tmp_path, size):
    width, height = map(int, size.split(":"))
    fit = f"scale={size}:force_original_aspect_ratio=decrease,pad={size}:(ow-iw)/2:(oh-ih)/2"
    source = cut("source.mp4", "-vf", fit, "-frames:v", 2, "-preset", "ultrafast", "-pix_fmt", "yuv444p")
    report = tiny.dub(source, voice, tmp_path / "out.mp4", length="video")
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height) == (width, height)
    assert report.frames_dubbed == report.frames == 2


@pytest.mark.parametrize("aspect", ["16/15", "64/45", "10/11"])
def test_pixels_that_are_not_square_stay_so(tiny, cut, voice, tmp_path, aspect):
    source = cut("source.mp4", "-vf", f"setsar={aspect}")
    _, info = dub(tiny, source, voice, tmp_path / "out.mp4")
    assert str(info.pixel_aspect) == aspect and (info.width, info.height) == PLAIN


def test_interlaced_video_is_deinterlaced_and_said(tiny, cut, voice, tmp_path):
    """A ball that moves 8 px between the fields: combed before, whole after."""
    ball = (
        "geq=lum='if(between(X,mod(N*8,200),mod(N*8,200)+24)*between(Y,10,50),235,lum(X,Y))':cb='cb(X,Y)':cr='cr(X,Y)'"
    )
    fields = f"settb=1/50,setpts=N,fps=50,{ball},interlace=scan=tff,setparams=field_mode=tff"
    interlaced = ("-c:v", "mpeg2video", "-q:v", 2, "-flags", "+ildct+ilme", "-an", "-r", 25)
    source = cut("source.mpg", "-vf", fields, *interlaced)
    with av.open(str(source)) as media:
        stored = next(frame for i, frame in enumerate(media.decode(video=0)) if i == 3)
        assert stored.interlaced_frame
    report = tiny.dub(source, voice, tmp_path / "out.mp4", length="video")
    assert report.warnings == ("the video is interlaced: it was deinterlaced",)
    assert report.frames == probe(source).frame_count

    def comb(luma):
        rows = luma[12:48].astype(int)
        return np.abs(rows[1:-1] * 2 - rows[:-2] - rows[2:]).mean()

    found = [item.frame for item in read_frames(tmp_path / "out.mp4")][3]
    assert comb(found[..., 1]) < comb(stored.to_ndarray()[:288]) / 2


def test_ten_bits_are_dubbed_and_the_loss_is_said(tiny, cut, voice, tmp_path):
    source = cut("source.mp4", "-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le")
    report, _ = dub(tiny, source, voice, tmp_path / "out.mp4")
    assert report.warnings == ("the video has 10 bits per colour: 8 are kept",)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_hdr_is_tone_mapped_and_said(cut, transfer, name):
    """The planted answer is the SDR clip that the HDR one was made of; its backdrop is too saturated to compare."""
    to_hdr = f"{TO_LINEAR},zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    hdr = ("-c:v", "libx265", "-x265-params", "log-level=error")
    source = cut("source.mp4", "-frames:v", 3, "-vf", to_hdr, *hdr)
    info = probe(source)
    assert info.changes == (f"the video is HDR ({name}): it was tone-mapped to BT.709",)
    assert info.colour == Colour(matrix=1, primaries=1, transfer=1, full_range=False)
    planted, found = (next(read_frames(path)).frame for path in (cut("sdr.mp4", "-vf", TAG_709), source))
    assert np.abs(planted[200:].mean(axis=(0, 1)) - found[200:].mean(axis=(0, 1))).max() < 15


RAMP = "geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='X*4/%d'"
"""Transparency that falls from left to right, in samples of 10 bits or, a quarter of that, 8."""


@pytest.mark.parametrize(
    ("source", "out", "codec"),
    [
        ("source.mov", "out.mov", "prores"),
        ("source.mov", "out.webm", None),
        ("source.webm", "out.webm", None),
        ("source.webm", "out.mkv", "vp9"),
        ("vp8.webm", "out.mov", "prores"),
    ],
)
def test_transparency_is_kept_by_prores_and_vp9(tiny, cut, voice, tmp_path, source, out, codec):
    stored = {
        "source.mov": ("-vf", "format=yuva444p10le," + RAMP % 1, "-c:v", "prores_ks"),
        "source.webm": ("-vf", "format=yuva420p," + RAMP % 4, "-c:v", "libvpx-vp9", "-cpu-used", 8),
        "vp8.webm": ("-vf", "format=yuva420p," + RAMP % 4, "-c:v", "libvpx", "-auto-alt-ref", 0, "-b:v", "1M"),
    }
    video = cut(source, *stored[source])
    report, info = dub(tiny, video, voice, tmp_path / out, codec=codec)
    assert info.has_alpha and not any("transparency" in note for note in report.warnings)
    assert (info.width, info.height, info.fps, info.colour) == (*PLAIN, 25, probe(video).colour)
    found = [item.frame[..., 3] for item in read_frames(tmp_path / out, alpha=True)]
    assert all(np.abs(alpha - np.arange(240) * 255 / 256).max() < 4 for alpha in found)


def test_transparency_that_is_lost_is_said(tiny, cut, voice, tmp_path):
    source = cut("source.mov", "-vf", "format=yuva444p10le," + RAMP % 1, "-c:v", "prores_ks")
    report, info = dub(tiny, source, voice, tmp_path / "out.mp4", codec="vp9")
    assert report.warnings == (
        "the video has 12 bits per colour: 8 are kept",
        "the transparency of the video is left out: vp9 in .webm and prores in .mov keep it",
    )
    assert not info.has_alpha
    with pytest.raises(g4g.ConfigError, match="cannot hold transparency; use prores in .mov or vp9 in .webm"):
        VideoWriter(tmp_path / "other.mp4", FrameFormat(64, 48, 25, alpha=True))
