"""Time: every frame is shown, and driven by the sound, at its own time; after an hour too."""

import wave

import numpy as np
import pytest

from g4g.audio import window_starts
from g4g.config import AudioConfig
from g4g.dubbing.plan import fit_times, has_constant_rate
from g4g.media import FrameFormat, VideoWriter, probe, read_frames, read_waveform

RATES = {"23.976": 24000 / 1001, "24": 24, "25": 25, "29.97": 30000 / 1001, "30": 30, "50": 50, "60": 60}
HOUR_S = 3600


def times_of(path):
    return np.array([item.time_s for item in read_frames(path)])


@pytest.mark.parametrize("name", RATES)
def test_the_rate_is_kept_and_no_frame_added_or_lost(tiny, cut, voice, tmp_path, name):
    rate = {"23.976": "24000/1001", "29.97": "30000/1001"}.get(name, name)
    source = cut("source.mp4", "-vf", f"settb=1/90000,setpts=N*90000/({rate})", "-r", rate, "-frames:v", 15, "-an")
    tiny.dub(source, voice, tmp_path / "out.mp4", length="video")
    assert probe(tmp_path / "out.mp4").fps == pytest.approx(RATES[name], rel=1e-9)
    assert np.allclose(times_of(tmp_path / "out.mp4"), np.arange(15) / RATES[name], atol=1e-4)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_variable_rate_keeps_its_47_frames_at_their_own_times(tiny, grid_clip, voice, ffmpeg, tmp_path, name):
    """As phones do: 30 frames/s, then 12, so that the mean rate fits no frame."""
    times = "settb=1/1000,setpts='if(lt(N,30),N*33,990+(N-30)*83)'"
    vfr = ("-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-an", tmp_path / "vfr.mp4")
    ffmpeg("-i", grid_clip, "-vf", times, "-frames:v", 47, *vfr)
    planted = np.where(np.arange(47) < 30, np.arange(47) * 0.033, 0.99 + (np.arange(47) - 30) * 0.083)
    assert np.allclose(times_of(tmp_path / "vfr.mp4"), planted, atol=1e-3)
    report = tiny.dub(tmp_path / "vfr.mp4", voice, tmp_path / name, length="video")
    assert report.frames == 47 and report.duration_s == pytest.approx(2.318 + 1 / 20, abs=0.02)
    assert np.allclose(times_of(tmp_path / name), planted, atol=1e-3)
    assert len(read_waveform(tmp_path / name)) / 16_000 == pytest.approx(report.duration_s, abs=0.03)


def test_a_first_frame_that_is_not_at_0_comes_first(tiny, cut, ffmpeg, voice, tmp_path):
    """Both streams start at 3 s; the sound 0.2 s after the picture, in the source and in the dub by its own sound."""
    clicks = "aevalsrc=if(between(t\\,0.1\\,0.101)\\,0.8\\,0):s=48000:d=0.4"
    picture = ("-i", cut("plain.mp4", "-an"), "-itsoffset", 0.2, "-f", "lavfi", "-i", clicks)
    ffmpeg(*picture, "-c:v", "copy", "-output_ts_offset", 3, tmp_path / "late.ts")
    tiny.dub(tmp_path / "late.ts", tmp_path / "late.ts", tmp_path / "out.mp4", length="video")
    assert np.allclose(times_of(tmp_path / "out.mp4"), np.arange(15) / 25, atol=1e-3)
    assert np.argmax(np.abs(read_waveform(tmp_path / "out.mp4"))) / 16_000 == pytest.approx(0.3, abs=3e-3)


def test_times_are_cut_to_the_sound_or_go_on_at_the_mean_rate():
    own_s = np.array([0, 0.033, 0.066, 0.149, 0.232])
    assert fit_times(own_s, 20, 0.1).tolist() == [0, 0.033, 0.066]
    assert fit_times(own_s, 20, 0.25).tolist() == own_s.tolist()
    assert np.allclose(fit_times(own_s, 20, 0.35), [*own_s, 0.282, 0.332])
    assert fit_times(own_s, 20, 1e-4).tolist() == [0]


@pytest.mark.parametrize("fps", RATES.values())
def test_after_an_hour_picture_and_sound_are_within_one_frame(fps):
    count = round(HOUR_S * fps)
    exact_s = np.arange(count) / fps
    for stored_s in (exact_s, np.round(exact_s, 3)):  # Matroska rounds to milliseconds
        assert has_constant_rate(stored_s, fps)
        times_s = fit_times(stored_s, fps, 2 * HOUR_S)
        assert len(times_s) == pytest.approx(2 * count, abs=1)
        assert np.abs(times_s - np.arange(len(times_s)) / fps).max() < 2e-3
    lead_s = window_starts(exact_s) / AudioConfig().mel_rate - exact_s
    assert np.ptp(lead_s) <= 1 / AudioConfig().mel_rate + 1e-9  # the window starts as far ahead as at the beginning


def test_a_file_of_an_hour_holds_its_last_frame_and_its_last_click_in_place(tmp_path):
    times_s = np.array([0, 1801.001, 3599.96])
    with VideoWriter(tmp_path / "hour.mp4", FrameFormat(64, 48, 25, times_s)) as writer:
        for _ in times_s:
            writer.write(np.zeros((48, 64, 3), np.uint8))
    assert np.allclose(times_of(tmp_path / "hour.mp4"), times_s, atol=1e-4)
    samples = np.full(HOUR_S * 11_025, 128, np.uint8)
    samples[round(3599.5 * 11_025)] = 250
    with wave.open(str(tmp_path / "hour.wav"), "wb") as file:
        file.setparams((1, 1, 11_025, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    waveform = read_waveform(tmp_path / "hour.wav")
    assert len(waveform) == HOUR_S * 16_000
    assert np.argmax(waveform) / 16_000 == pytest.approx(3599.5, abs=1e-3)
