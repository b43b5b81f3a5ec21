"""Sound as users have it: what it is like does not matter to the mouth, and how late it is, is told."""

import numpy as np
import pytest

import g4g
from g4g.dubbing.offsets import OffsetMeter
from g4g.dubbing.report import DubbedFace, DubbedFrame
from g4g.faces import crop_face, make_backend, refine_crop, to_landmarks
from g4g.media import probe
from g4g.media.picture import RgbPicture
from g4g.metrics import mouth_opening

MOUTH = (slice(None), slice(120, 236), slice(64, 192))
"""Frames, rows and columns of the mouth in crops of 256 px."""

ALTERED = {
    "softer": "volume=-20dB",
    "louder": "volume=12dB",
    "clipped": "volume=25dB,aformat=s16",
    "noisy": "[0]anull[voice];anoisesrc=d=1.2:a=0.02:c=pink:seed=1:r=16000[noise];[voice][noise]amix=normalize=0",
    "music": "[0]anull[voice];aevalsrc='0.01*(sin(1382*t)+sin(1740*t)+sin(2073*t)+sin(2765*t))*(1+sin(9*t))'"
    ":s=16000:d=1.2[chord];[voice][chord]amix=normalize=0",
    "reversed": "areverse",
}
"""ffmpeg's filters; the last says other words."""


@pytest.fixture(scope="session")
def small() -> g4g.Dubber:
    """The shipped networks: only they hear."""
    return g4g.Dubber.from_pretrained("g4g-small")


@pytest.fixture(scope="module")
def speak(small, grid_clip, ffmpeg, tmp_path_factory):
    """Drive 1.2 s of the real clip with 1.2 s of its speech, filtered; returns the crops and the filtered sound."""
    folder = tmp_path_factory.mktemp("sound")
    ffmpeg("-t", 1.2, "-i", grid_clip, "-an", folder / "talk.mp4")
    small.make_avatar(folder / "talk.mp4", folder / "talk.avatar")  # looked at once, driven seven times
    ffmpeg("-ss", 0.6, "-t", 1.2, "-i", grid_clip, "-af", "volume=-10dB", "-ar", 16_000, folder / "voice.wav")

    def drive(filters):
        kind = "-filter_complex" if ";" in filters else "-af"
        ffmpeg("-i", folder / "voice.wav", kind, filters, folder / "altered.wav")
        frames = small.generate_frames(folder / "talk.avatar", folder / "altered.wav")
        crops = [crop_face(item.frame, refine_crop(item.frame_to_crop, 2), 256) for item in frames]
        return np.stack(crops).astype(float)[MOUTH], g4g.media.read_waveform(folder / "altered.wav")

    return drive


def test_a_sound_that_is_loud_clipped_or_not_alone_moves_the_mouth_alike(speak):
    clean, sound = speak("anull")
    made = {name: speak(filters) for name, filters in ALTERED.items()}
    apart = {name: np.abs(mouth - clean).mean() for name, (mouth, _) in made.items()}
    other_words = apart.pop("reversed")
    assert other_words > 2 and max(apart.values()) < other_words / 2, apart
    levels = {name: np.sqrt((altered**2).mean() / (sound**2).mean()) for name, (_, altered) in made.items()}
    assert 20 * np.log10(np.std(made["noisy"][1] - sound) / np.std(sound)) == pytest.approx(-21.5, abs=1)
    assert 20 * np.log10(np.std(made["music"][1] - sound) / np.std(sound)) == pytest.approx(-8.4, abs=1)
    assert levels["softer"] < 0.15 and levels["louder"] > 3 and (abs(made["clipped"][1]) > 0.99).mean() > 0.1


def test_the_mouth_rests_in_silence_before_between_and_after_sentences(small, grid_clip, ffmpeg, tmp_path):
    rest_s, words_s = 0.96, 0.64
    words = f"atrim=1:{1 + words_s},asetpts=N/SR/TB"
    silence = f"anullsrc=r=16000:cl=mono:d={rest_s}"
    graph = f"[0:a]aresample=16000,{words},asplit[a][b];{silence},asplit=3[x][y][z];[x][a][y][b][z]concat=n=5:v=0:a=1"
    ffmpeg("-i", grid_clip, "-filter_complex", graph, tmp_path / "sentences.wav")
    backend = make_backend("mediapipe")
    frames = small.generate_frames(grid_clip, tmp_path / "sentences.wav")
    opening = mouth_opening(to_landmarks(np.stack([backend.find(item.frame) for item in frames])))
    time_s = np.arange(len(opening)) / 25 % (rest_s + words_s)
    resting = (time_s > 0.32) & (time_s < rest_s - 0.32)  # lips begin before the sound and end after it
    assert opening[resting].max() < 0.4 * opening[time_s > rest_s].max()
    assert opening[resting].mean() < 0.6 * opening[time_s > rest_s].mean()


@pytest.mark.parametrize(("seconds", "frames"), [(0.1, 3), (0.01, 1)])
def test_the_shortest_sounds_make_the_shortest_videos(tiny, cut, voice, ffmpeg, tmp_path, seconds, frames):
    ffmpeg("-i", voice, "-t", seconds, tmp_path / "short.wav")
    report = tiny.dub(cut("talk.mp4"), tmp_path / "short.wav", tmp_path / "out.mp4")
    assert report.frames == report.frames_dubbed == probe(tmp_path / "out.mp4").frame_count == frames


def test_a_source_out_of_sync_is_told_and_its_dub_is_not(small, grid_clip, ffmpeg, tmp_path):
    video = tmp_path / "late.mkv"
    ffmpeg("-i", grid_clip, "-itsoffset", 0.2, "-i", grid_clip, "-map", "0:v", "-map", "1:a", "-c", "copy", video)
    report = small.dub(video, grid_clip, tmp_path / "out.mp4")
    assert report.offsets["source"] == pytest.approx(-5, abs=1)
    assert report.offsets["dubbed"] == pytest.approx(0, abs=1)
    assert "the video's own sound comes about 0.20 s after its lips" in report.warnings[0]


def test_offsets_are_left_out_where_they_cannot_be_told(small, grid_clip, ffmpeg, tmp_path):
    ffmpeg("-i", grid_clip, "-af", "volume=0", tmp_path / "silent.mp4")
    report = small.dub(tmp_path / "silent.mp4", tmp_path / "silent.mp4", tmp_path / "out.mp4")
    assert report.offsets == {} and report.seconds["offsets"] > 0
    assert len(report.warnings) == 1 and "silent.mp4 is silent: the mouth rests" in report.warnings[0]


def test_offsets_are_measured_in_one_stretch_that_is_long_enough():
    meter, frame, matrix = OffsetMeter(), np.zeros((64, 64, 3), np.uint8), np.eye(2, 3)
    for number in range(250):
        is_dubbed = number not in (30, 110)
        faces = (DubbedFace(frame[..., 0], matrix),) if is_dubbed else ()
        item = DubbedFrame(RgbPicture(frame), (), faces)
        meter.add(number / 25, item)
    # Of 25 frames a second every second one is enough.
    assert meter.times_s == [number / 25 for number in range(31, 110, 2)] and meter.has_enough
