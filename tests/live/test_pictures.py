"""What streams show, with tiny networks on a real clip and a portrait: rest, speech, and what lies between."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from PIL import Image

import g4g
from g4g.avatar.store import load_avatar
from g4g.dubbing.people import list_appearances
from g4g.dubbing.plan import COVERED
from g4g.faces import crop_face
from g4g.live import LiveFrame, SegmentEnd
from g4g.live.loop import plan_loop, scale_crops
from g4g.live.plan import plan_places
from g4g.media import read_frames, read_waveform


@pytest.fixture(scope="module")
def portrait_avatar(live, portrait_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("portrait") / "ann.avatar"
    live.make_avatar(portrait_file, path)
    return path


@pytest.fixture(scope="module")
def sound(voice_file):
    return np.asarray(read_waveform(voice_file))[16_000 : 16_000 * 2]


def play(stream, sound, after=0):
    """Push a sound, and take its frames and some after it."""
    for first in range(0, len(sound), 500):
        stream.push_audio(sound[first : first + 500], 16_000)
    stream.end_segment()
    frames = []
    for item in stream:
        if isinstance(item, SegmentEnd):
            return frames + list(islice(stream, after))
        frames.append(item)


def psnr(one, other):
    error = np.square(one.astype(float) - other).mean()
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


def test_a_stream_shows_what_a_dub_of_the_same_sound_does(live, portrait_avatar, sound, ffmpeg, tmp_path):
    ffmpeg("-f", "f32le", "-ar", 16_000, "-i", "-", "-c:a", "pcm_f32le", tmp_path / "s.wav", data=sound.tobytes())
    dubbed = list(live.generate_frames(portrait_avatar, tmp_path / "s.wav"))
    with live.stream(portrait_avatar, paced=False) as stream:
        frames = play(stream, sound)
    assert len(frames) == len(dubbed) == 25 and all(item.passed is None for item in frames)
    alike = [psnr(one.frame, other.frame) for one, other in zip(frames, dubbed, strict=True)]
    apart = [psnr(one.frame, other.frame) for one, other in zip(frames[5:], dubbed[:-5], strict=True)]
    assert min(alike[:20]) > 45, "near its end a dub knows that silence follows"
    assert np.median(alike) > np.median(apart) + 5


def is_alike(one, other):
    """Rounding may differ: features of silence do, in their last bit."""
    return np.abs(one.astype(float) - other).max() <= 1


def test_rest_is_one_picture_and_speech_leaves_and_reaches_it_without_a_jump(live, portrait_avatar, sound):
    with live.stream(portrait_avatar, paced=False) as stream:
        before = list(islice(stream, 8))
        frames = before + play(stream, sound, after=30)
    pictures = np.stack([item.frame for item in frames if isinstance(item, LiveFrame)]).astype(float)
    rest = pictures[0]
    assert all(is_alike(picture, rest) for picture in (*pictures[:8], *pictures[-5:]))
    steps = np.abs(np.diff(pictures, axis=0)).mean((1, 2, 3))
    moved = np.flatnonzero([not is_alike(picture, rest) for picture in pictures])
    assert max(steps[moved[0] - 1], steps[moved[-1]]) < 0.95 * steps.max()


def test_an_interruption_reaches_rest_within_a_fifth_of_a_second(live, portrait_avatar, sound):
    with live.stream(portrait_avatar, paced=False) as stream:
        rest = next(stream).frame
        stream.push_audio(sound, 16_000)
        speaking = [next(stream) for _ in range(20)]
        assert (speaking[-1].frame != rest).any()
        stream.interrupt()
        items = list(islice(stream, 12))
    assert items[0].is_interrupted
    left = [np.abs(item.frame.astype(float) - rest).mean() for item in items[1:]]
    assert all(is_alike(item.frame, rest) for item in items[4:])
    assert left[0] > 0.01 and left[:3] == sorted(left[:3], reverse=True)
    assert not any(item.sound.any() for item in items[1:])


def test_the_video_plays_to_and_fro_and_outside_the_face_is_untouched(live, avatar_file, grid_clip):
    real = [item.frame for item in read_frames(grid_clip)]
    with live.stream(avatar_file, paced=False) as stream:
        frames = list(islice(stream, len(real) + 10))
    way = [*range(len(real)), *range(len(real) - 2, len(real) - 12, -1)]
    for item, number in zip(frames, way, strict=True):
        changed = (item.frame != real[number]).any(-1)
        assert not changed[: len(changed) // 3].any() and changed.mean() < 0.2
    assert sum((item.frame != real[number]).any() for item, number in zip(frames, way, strict=True)) == len(way)


def test_a_size_and_a_rate_of_ones_own(live, avatar_file, sound):
    with live.stream(avatar_file, paced=False) as stream:
        large = play(stream, sound)
    height, width = (side // 2 for side in large[0].frame.shape[:2])
    with live.stream(avatar_file, fps=50, size=(height, width), paced=False, sample_rate=16_000) as stream:
        small = play(stream, sound)
    assert len(small) == 50 and small[0].frame.shape == (height, width, 3) and len(small[0].sound) == 320
    for one, other in zip(small[::2], large, strict=True):
        reduced = np.asarray(Image.fromarray(other.frame).resize((width, height), Image.Resampling.BOX))
        assert psnr(one.frame, reduced) > 30
    with pytest.raises(g4g.ConfigError, match="a `size` of its shape with this width is"):
        live.stream(avatar_file, size=(100, 400))


def test_crops_of_a_scaled_frame_show_the_same_place(grid_clip):
    frame = next(iter(read_frames(grid_clip))).frame
    smooth = np.asarray(Image.fromarray(frame).resize((60, 48)).resize(frame.shape[1::-1]))
    large = np.asarray(Image.fromarray(smooth).resize((2 * smooth.shape[1], 2 * smooth.shape[0])))
    matrix = np.array([[[0.9, 0.1, -40.0], [-0.1, 0.9, -30.0]]])
    turned = scale_crops(matrix, smooth.shape[:2], large.shape[:2])
    assert psnr(crop_face(large, turned[0], 128), crop_face(smooth, matrix[0], 128)) > 40


def test_where_nobody_can_be_dubbed_the_source_is_shown_and_mouths_fade(live, avatar_file):
    avatar = load_avatar(avatar_file, live._models)
    hidden = np.isin(avatar.tracks.frames, [30, 31])
    avatar = replace(avatar, tracks=replace(avatar.tracks, covered=avatar.tracks.covered | hidden))
    loop = plan_loop(avatar, None)
    places = plan_places(avatar, list_appearances(avatar.tracks), None, loop)
    assert [place for place in range(loop.turn) if places.passed[place]] == [30, 31, loop.turn - 31, loop.turn - 30]
    assert places.passed[30] == COVERED and places.faces[30] == -1
    assert places.shares[29] == places.shares[32] == 0.25 and places.shares[0] == places.shares[-1] == 1


def test_networks_that_must_hear_the_whole_sound_are_refused(tiny, avatar_file):
    with pytest.raises(g4g.ConfigError, match="g4g-tiny cannot stream.*docs/live.md"):
        tiny.stream(avatar_file)


def test_what_is_no_avatar_of_these_networks_is_one_sentence(live, tiny, avatar_file, portrait_file, tmp_path):
    with pytest.raises(g4g.ConfigError, match="stream has no argument loudness"):
        live.stream(avatar_file, loudness=1)
    cut = tmp_path / "cut.avatar"
    cut.write_bytes(avatar_file.read_bytes()[:-40_000])
    with pytest.raises(g4g.MediaError, match="is damaged"):
        live.stream(cut)
    tiny.make_avatar(portrait_file, tmp_path / "other.avatar")
    with pytest.raises(g4g.MediaError, match="made with other weights"):
        live.stream(tmp_path / "other.avatar")
    with pytest.raises(g4g.MediaError, match="no such file"):
        live.stream(tmp_path / "nobody.avatar")
    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    with pytest.raises(g4g.FaceError, match="no face in any"):
        live.stream(tmp_path / "black.png")
