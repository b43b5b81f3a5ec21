"""Only part of a video, and what becomes of its own sound: planted tones tell which sound is heard where."""

import json
import wave

import numpy as np
import pytest

import g4g
from g4g.cli import main
from g4g.dubbing import hearing
from g4g.dubbing.plan import NO_FACE, NOT_ASKED
from g4g.media import VideoWriter, probe, read_frames, read_waveform
from g4g.media.ping_pong import ping_pong_frames, ping_pong_numbers
from g4g.media.read import read_pictures

RATE_HZ = 16_000
OLD_HZ, NEW_HZ = 440, 3000
IN_STEREO = 0.5**0.5
"""What each side gets of a mono sound, so that it is as loud as before."""


def loudness(path, hz, start_s, stop_s):
    """Amplitude of a tone in a stretch of a file's sound; 1 is full scale."""
    part = read_waveform(path)[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)]
    return 2 * np.abs(np.mean(part * np.exp(-2j * np.pi * hz * np.arange(len(part)) / RATE_HZ)))


def write_tone(path, hz):
    """0.2 s of a tone at half of full scale."""
    samples = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(0.2 * RATE_HZ)) / RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def tone(tmp_path):
    """The new sound."""
    return write_tone(tmp_path / "tone.wav", NEW_HZ)


@pytest.fixture
def talk(cut, ffmpeg, tmp_path):
    """The real clip, 0.6 s, with a stereo tone as its own sound, which starts with the picture at 2 s."""
    side = f"0.5*sin(2*PI*{OLD_HZ}*t)"
    old = f"aevalsrc={side}|{side}:s=44100:d=0.6"
    joined = ("-i", cut("silent.mp4", "-an"), "-f", "lavfi", "-i", old, "-c:v", "copy", "-c:a", "pcm_s16le")
    ffmpeg(*joined, "-output_ts_offset", 2, tmp_path / "talk.mkv")
    assert loudness(tmp_path / "talk.mkv", OLD_HZ, 0.1, 0.5) == pytest.approx(0.5, abs=0.02)
    return tmp_path / "talk.mkv"


@pytest.mark.parametrize(("mix", "old_within"), [("replace", 0.0), ("keep", 0.5), ("duck", 0.1)])
def test_a_span_is_dubbed_and_the_rest_stays(tiny, talk, tone, tmp_path, mix, old_within):
    out = tmp_path / "out.mkv"
    report = tiny.dub(talk, tone, out, start_s=0.2, end_s=0.4, mix=mix)
    assert (report.frames, report.frames_dubbed, report.passed_why) == (15, 5, {NOT_ASKED: 10})
    assert np.allclose([f.time_s for f in read_frames(out)], np.arange(15) / 25, atol=1e-3)
    for start_s, stop_s in ((0.02, 0.18), (0.42, 0.58)):
        assert loudness(out, NEW_HZ, start_s, stop_s) < 0.02
        is_rising = mix == "duck" and start_s > 0.4  # it takes 0.4 s to come back
        assert is_rising or loudness(out, OLD_HZ, start_s, stop_s) > 0.45
    assert loudness(out, NEW_HZ, 0.24, 0.38) == pytest.approx(0.5 * IN_STEREO, abs=0.05)
    assert loudness(out, OLD_HZ, 0.26, 0.38) == pytest.approx(old_within, abs=0.12)
    assert len(read_waveform(out)) / RATE_HZ == pytest.approx(0.6, abs=0.03)


def test_the_spliced_sound_is_in_place_to_the_sample(tiny, talk, tone, tmp_path):
    tiny.dub(talk, tone, tmp_path / "out.mkv", start_s=0.2)
    heard, new = read_waveform(tmp_path / "out.mkv"), read_waveform(tone)
    shift = np.argmax(np.correlate(heard[2400:8000], new, "valid")) + 2400
    assert abs(shift - 0.2 * RATE_HZ) <= 3


def test_an_end_is_where_the_sound_ends_if_none_is_given(tiny, talk, tone, tmp_path):
    report = tiny.dub(talk, tone, tmp_path / "out.mkv", start_s=0.12)
    assert report.passed_why == {NOT_ASKED: 10} and report.frames == 15
    report = tiny.dub(talk, tone, tmp_path / "end.mkv", end_s=0.1)
    assert report.frames_dubbed == 3 and report.frames == 15


@pytest.mark.parametrize("span", [(0.4, 0.2), (-1, 0.2), (7, 9), (0, 0), (float("nan"), 0.3)])
def test_a_span_outside_the_video_is_one_sentence(tiny, talk, tone, tmp_path, span):
    with pytest.raises(g4g.ConfigError, match=r"start and end must lie in the video's 0.60 s, in this order"):
        tiny.dub(talk, tone, tmp_path / "out.mkv", start_s=span[0], end_s=span[1])


def test_frames_outside_the_span_are_the_sources_to_the_byte(tiny, talk, tone, tmp_path, monkeypatch):
    written, write = [], VideoWriter.write
    monkeypatch.setattr(VideoWriter, "write", lambda self, frame: written.append(frame) or write(self, frame))
    tiny.dub(talk, tone, tmp_path / "out.mkv", start_s=0.2)
    sources = (item.picture.planes for item in read_pictures(talk))
    same = [np.array_equal(source, planes) for source, planes in zip(sources, written, strict=True)]
    assert same == [True] * 5 + [False] * 5 + [True] * 5


def test_the_lips_follow_the_voice_while_the_sound_is_heard(tiny, talk, tone, voice, tmp_path, monkeypatch):
    driven, encode = [], hearing.encode_speech
    monkeypatch.setattr(
        hearing, "encode_speech", lambda net, sound, *how: driven.append(sound) or encode(net, sound, *how)
    )
    tiny.dub(talk, tone, tmp_path / "out.mp4", voice=voice, length="video")
    said = read_waveform(voice)
    assert np.array_equal(driven[0][: len(said)], said) and not driven[0][len(said) :].any()
    assert loudness(tmp_path / "out.mp4", NEW_HZ, 0.02, 0.18) == pytest.approx(0.5, abs=0.1)


def test_where_voice_and_sound_differ_in_length_the_sound_counts(tiny, talk, tone, voice, tmp_path, monkeypatch):
    heard, encode = [], hearing.encode_speech
    monkeypatch.setattr(
        hearing, "encode_speech", lambda net, sound, *how: heard.append(sound) or encode(net, sound, *how)
    )
    report = tiny.dub(talk, voice, tmp_path / "short.mp4", voice=tone)
    assert report.frames == 15
    assert report.warnings == ("the voice lasts 0.20 s, the sound that is heard 0.60 s: the lips rest after it",)
    assert heard[0][:3200].max() > 0.4 and len(heard[0]) >= 16_000 and not heard[0][3200:].any()  # then silence
    assert loudness(tmp_path / "short.mp4", NEW_HZ, 0.02, 0.18) < 0.1
    report = tiny.dub(talk, tone, tmp_path / "long.mp4", voice=voice)
    assert report.frames == 5 and report.warnings[0].endswith("0.20 s: the rest of the voice is left out")
    assert tiny.dub(talk, voice, tmp_path / "same.mp4", voice=voice).warnings == ()


def test_keeping_needs_no_old_sound(tiny, cut, tone, tmp_path):
    tiny.dub(cut("silent.mp4", "-an"), tone, tmp_path / "out.mp4", start_s=0.2, mix="keep")
    assert loudness(tmp_path / "out.mp4", NEW_HZ, 0.22, 0.38) == pytest.approx(0.5, abs=0.1)
    assert loudness(tmp_path / "out.mp4", NEW_HZ, 0, 0.18) < 0.02


def test_a_dry_run_tells_all_and_writes_nothing(tiny, cut, voice, tmp_path):
    hide = "drawbox=x=0:y=0:w=iw:h=ih:color=gray:t=fill:enable='lt(n,4)'"
    video = cut("talk.mp4", "-vf", hide)
    planned = tiny.dub(video, voice, tmp_path / "out.mp4", length="video", dry_run=True)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"] and "not written" in str(planned)
    done = tiny.dub(video, voice, tmp_path / "out.mp4", length="video")
    assert planned.passed_why == done.passed_why == {NO_FACE: 4}
    assert (planned.frames, planned.frames_dubbed, planned.fps) == (done.frames, done.frames_dubbed, done.fps)
    assert planned.duration_s == done.duration_s == pytest.approx(probe(tmp_path / "out.mp4").duration_s, abs=0.03)


def test_the_command_line_says_it_all(talk, tone, tmp_path, capsys):
    command = ["dub", talk, "--audio", tone, "--weights", "g4g-tiny", "--mix", "duck", "--start", 0.2, "--end", 0.4]
    more = ["--codec", "hevc", "--crf", 30, "--json", tmp_path / "report.json", "-o", tmp_path / "out.mp4"]
    main([str(word) for word in [*command, *more, "--dry-run"]])
    assert not (tmp_path / "out.mp4").exists() and json.loads((tmp_path / "report.json").read_text())["dry_run"]
    main([str(word) for word in [*command, *more]])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed_why"] == {NOT_ASKED: 10} and report["frames_dubbed"] == 5 and report["warnings"] == []
    assert {"audio", "faces", "speech", "library", "motion", "paint", "encode"} <= set(report["seconds"])
    assert report["output"] == str(tmp_path / "out.mp4")
    assert "10 passed through (outside start and end)" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "wanted"), [(1, 3), (2, 5), (15, 15), (15, 40), (5, 2)])
def test_ping_pong_frames_are_numbered_as_they_come(cut, count, wanted):
    frames = ping_pong_frames(cut("talk.mp4", "-an"), count, wanted)
    assert [number for number, _ in frames] == ping_pong_numbers(count, wanted).tolist()
