"""read_frames and read_waveform: planted pictures, times and clicks come back where they were put."""

import re
import tracemalloc

import av
import numpy as np
import pytest

from g4g.errors import MediaError
from g4g.media import pick_frames, read_frames, read_waveform

RATE_HZ = 16_000
MATRICES = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt470bg": (0.299, 0.114)}


def make_gradient(height, width):
    """A picture that no turn or mirroring leaves as it is."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4, columns * 3, 40 + 0 * rows], axis=-1).astype(np.uint8)


def yuv_to_rgb(y, u, v, kr, kb, full_range=False):
    """The definition of Y'CbCr in ITU-R BT.601 and BT.709, independent of swscale."""
    luma, (cb, cr) = (y - 16) / 219, ((u - 128) / 224, (v - 128) / 224)
    if full_range:
        luma, (cb, cr) = y / 255, ((u - 128) / 255, (v - 128) / 255)
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.array([red, green, blue]) * 255


def store_yuv(ffmpeg, path, size, tags=None):
    """Store one plane value per channel without loss: Y 120, U 100, V 150; `tags` are setparams' own words."""
    width, height = size
    data = b"".join(bytes([value]) * (width * height) for value in (120, 100, 150))
    source = ("-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{width}x{height}", "-i", "-")
    ffmpeg(*source, "-c:v", "libx264", "-qp", 0, *(("-vf", f"setparams={tags}") if tags else ()), path, data=data)
    return path


def test_frames_are_exact(make_clip):
    planted = np.random.default_rng(0).integers(0, 256, (40, 34, 50, 3), np.uint8)
    found = list(read_frames(make_clip(planted)))
    assert np.array_equal(np.stack([f.frame for f in found]), planted)
    assert np.allclose([f.time_s for f in found], np.arange(40) / 25, atol=1e-9)


def test_variable_frame_rate_keeps_count_and_times(ffmpeg, tmp_path):
    path = tmp_path / "vfr.mp4"
    source = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1,settb=1/1000,setpts=N*(N+9)*2")
    ffmpeg(*source, "-fps_mode", "passthrough", "-enc_time_base", "1/1000", "-video_track_timescale", 1000, path)
    index = np.arange(25)
    assert np.allclose([f.time_s for f in read_frames(path)], index * (index + 9) * 2 / 1000, atol=1e-9)


@pytest.mark.parametrize("name", ["late.mkv", "late.ts", "late.mp4"])
def test_first_time_is_zero(ffmpeg, tmp_path, name):
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1", "-output_ts_offset", 3, tmp_path / name)
    times_s = [f.time_s for f in read_frames(tmp_path / name)]
    assert np.allclose(times_s, np.arange(25) / 25, atol=1e-3)


@pytest.mark.parametrize(("angle", "quarter_turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotation_is_applied(make_clip, ffmpeg, tmp_path, angle, quarter_turns):
    stored, turned = make_gradient(48, 64), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", angle, "-i", make_clip(stored[None]), "-c", "copy", turned)
    found = next(read_frames(turned)).frame
    assert np.array_equal(found, np.rot90(stored, quarter_turns))
    ours_by_ffmpeg = ffmpeg("-i", turned, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    assert found.tobytes() == ours_by_ffmpeg


@pytest.mark.parametrize(
    "flags", [("-display_hflip",), ("-display_vflip",), ("-display_rotation", 90, "-display_hflip")]
)
def test_mirroring_is_applied(make_clip, ffmpeg, tmp_path, flags):
    stored, turned = make_gradient(48, 64), tmp_path / "turned.mp4"
    ffmpeg(*flags, "-i", make_clip(stored[None]), "-c", "copy", turned)
    found = next(read_frames(turned)).frame
    assert found.tobytes() == ffmpeg("-i", turned, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    assert found.tobytes() != stored.tobytes()


def test_photo_turned_by_exif(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow writes the EXIF tag").fromarray(make_gradient(48, 64))
    exif = image.getexif()
    exif[0x0112] = 6  # orientation: turn 90 degrees clockwise
    image.save(tmp_path / "photo.jpg", exif=exif, quality=98, subsampling=0)
    found = next(read_frames(tmp_path / "photo.jpg")).frame
    assert np.abs(found - np.rot90(make_gradient(48, 64), -1).astype(float)).max() <= 6


@pytest.mark.parametrize("matrix", MATRICES)
def test_tagged_matrix_is_respected(ffmpeg, tmp_path, matrix):
    path = store_yuv(ffmpeg, tmp_path / "tagged.mp4", (64, 48), f"colorspace={matrix}")
    expected = yuv_to_rgb(120, 100, 150, *MATRICES[matrix])
    assert np.abs(next(read_frames(path)).frame - expected).max() <= 1.5


@pytest.mark.parametrize(
    ("size", "matrix"), [((720, 576), "smpte170m"), ((1280, 720), "bt709"), ((720, 1280), "bt709")]
)
def test_untagged_matrix_goes_by_size(ffmpeg, tmp_path, size, matrix):
    path = store_yuv(ffmpeg, tmp_path / "untagged.mkv", size)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).colorspace == 2, "the clip must be untagged for this test"
    expected = yuv_to_rgb(120, 100, 150, *MATRICES[matrix])
    assert np.abs(next(read_frames(path)).frame - expected).max() <= 1.5


def test_full_range_is_respected(ffmpeg, tmp_path):
    tags = "colorspace=bt709:range=pc"
    found = next(read_frames(store_yuv(ffmpeg, tmp_path / "full.mp4", (64, 48), tags))).frame
    assert np.abs(found - yuv_to_rgb(120, 100, 150, *MATRICES["bt709"], full_range=True)).max() <= 1.5


def test_still_picture_is_one_exact_frame(ffmpeg, tmp_path):
    planted = np.random.default_rng(1).integers(0, 256, (33, 47, 3), np.uint8)
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "47x33", "-i", "-")
    ffmpeg(*source, tmp_path / "still.png", data=planted.tobytes())
    (found,) = read_frames(tmp_path / "still.png")
    assert found.time_s == 0 and np.array_equal(found.frame, planted)


def test_memory_does_not_grow_with_length(ffmpeg, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=640x480:r=25:d=8", "-preset", "ultrafast", tmp_path / "long.mp4")
    tracemalloc.start()
    count = sum(1 for _ in read_frames(tmp_path / "long.mp4"))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200 and peak_bytes < 10 * 640 * 480 * 3


def test_wrong_input_is_refused_at_the_call(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        read_frames(tmp_path / "absent.mp4")


def test_damaged_video(ffmpeg, tmp_path):
    path = tmp_path / "hole.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2", "-movflags", "+faststart", path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 4000] = bytes(4000)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"hole.mp4 is damaged after \d\.\d\d s \(\d+ frames\): .* `tolerant=True`"):
        list(read_frames(path))


def test_video_that_is_cut_off(ffmpeg, tmp_path):
    path = tmp_path / "cut.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2", "-movflags", "+faststart", path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    missing, faults = len(whole) - path.stat().st_size, []
    count = len(list(read_frames(path, on_fault=faults.append)))
    assert 0 < count < 50
    told = re.fullmatch(
        r".* is cut off after ([\d.]+) s \((\d+) frames\): its last (\d+) bytes are missing", faults[-1]
    )
    assert (int(told[2]), int(told[3])) == (count, missing)
    assert float(told[1]) == pytest.approx((count - 1) / 25, abs=0.1), "near the cut a frame may be lost"
    with pytest.raises(MediaError, match="is (damaged|cut off) after"):
        list(read_frames(path))


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_click_is_found_within_a_millisecond(click_wav, rate_hz):
    waveform = read_waveform(click_wav, rate_hz)
    assert waveform.dtype == np.float32 and waveform.shape == (2 * rate_hz,)
    assert np.argmax(waveform) / rate_hz == pytest.approx(1.0, abs=1e-3)
    assert waveform.max() == pytest.approx(0.8, abs=0.03)


CODED = [("a.mp4", "aac"), ("a.mkv", "pcm_s16le"), ("a.mkv", "libopus"), ("a.ts", "aac"), ("a.mov", "pcm_s16le")]


@pytest.mark.parametrize(("video_start_s", "audio_start_s"), [(0, 0), (0, 0.5), (0.4, 0), (2, 2.3)])
@pytest.mark.parametrize(("name", "codec"), CODED)
def test_sound_stays_on_the_clock_of_the_video(ffmpeg, click_wav, tmp_path, name, codec, video_start_s, audio_start_s):
    video = ("-itsoffset", video_start_s, "-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=2")
    audio = ("-itsoffset", audio_start_s, "-i", click_wav)
    ffmpeg(*video, *audio, "-copyts", "-fps_mode", "passthrough", "-c:a", codec, tmp_path / name)
    waveform = read_waveform(tmp_path / name)
    assert np.argmax(waveform) / RATE_HZ == pytest.approx(1.0 + audio_start_s - video_start_s, abs=1.5e-3)  # mkv: ms


@pytest.mark.parametrize("codec", ["libmp3lame", "aac", "libopus", "flac"])
def test_compressed_sound_file(ffmpeg, click_wav, tmp_path, codec):
    ending = {"libmp3lame": "mp3", "aac": "m4a", "libopus": "ogg", "flac": "flac"}[codec]
    ffmpeg("-i", click_wav, "-c:a", codec, tmp_path / f"sound.{ending}")
    waveform = read_waveform(tmp_path / f"sound.{ending}")
    assert np.argmax(waveform) / RATE_HZ == pytest.approx(1.0, abs=1e-3)


def test_stereo_is_averaged(save_wav, tmp_path):
    left = 0.5 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)
    waveform = read_waveform(save_wav(tmp_path / "stereo.wav", np.stack([left, 0 * left], axis=1), RATE_HZ))
    assert np.allclose(waveform, left / 2, atol=1e-3)


def test_waveform_is_limited_and_lies_on_disk(ffmpeg, tmp_path):
    loud = np.tile(np.float32([3.0, -3.0, 0.5, 0.25]), 4000)
    ffmpeg(
        "-f",
        "f32le",
        "-ar",
        RATE_HZ,
        "-ac",
        1,
        "-i",
        "-",
        "-c:a",
        "pcm_f32le",
        tmp_path / "loud.wav",
        data=loud.tobytes(),
    )
    waveform = read_waveform(tmp_path / "loud.wav")
    assert isinstance(waveform, np.memmap)
    assert np.array_equal(waveform, np.clip(loud, -1, 1))


def test_waveform_with_not_a_number(ffmpeg, tmp_path):
    samples = np.full(1000, np.nan, np.float32).tobytes()
    ffmpeg("-f", "f32le", "-ar", RATE_HZ, "-ac", 1, "-i", "-", "-c:a", "pcm_f32le", tmp_path / "nan.wav", data=samples)
    with pytest.raises(MediaError, match="not numbers"):
        read_waveform(tmp_path / "nan.wav")


def test_no_audio_stream(make_clip):
    with pytest.raises(MediaError, match="no audio stream"):
        read_waveform(make_clip(np.zeros((2, 48, 64, 3), np.uint8)))


def test_empty_audio(save_wav, tmp_path):
    with pytest.raises(MediaError, match="without a single sample"):
        read_waveform(save_wav(tmp_path / "empty.wav", np.zeros(0)))


def test_text_file_is_no_sound(tmp_path):
    (tmp_path / "voice.wav").write_text("la la la\n" * 100)
    with pytest.raises(MediaError, match="cannot be read as video, picture or sound"):
        read_waveform(tmp_path / "voice.wav")


def test_frames_are_picked_by_number_and_nothing_is_read_after_the_last(ffmpeg, tmp_path):
    path = tmp_path / "cut.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-g", 1, "-movflags", "+faststart", path)
    whole = [item.frame for item in read_frames(path)]
    path.write_bytes(path.read_bytes()[:-2000])  # the end is broken, the start is not
    picked = list(pick_frames(path, np.array([9, 2, 4, 2])))
    assert [number for number, _ in picked] == [2, 4, 9]
    assert all(np.array_equal(frame, whole[number]) for number, frame in picked)
    assert list(pick_frames(path, [])) == []
    with pytest.raises(MediaError, match="is (damaged|cut off) after"):
        list(pick_frames(path, [0, 99]))
