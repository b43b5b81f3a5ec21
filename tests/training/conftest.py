"""Clips that speakers might give, good and bad."""

import pytest


@pytest.fixture(scope="session")
def clips(data_dir, ffmpeg, tmp_path_factory):
    """Clips of s26: as they are, no sound to hear, small, short; one of s20; two people; one that is none."""
    folder = tmp_path_factory.mktemp("clips")
    first, second = sorted((data_dir / "grid/s26").glob("*.mpg"))[:2]
    other = next((data_dir / "grid/others").glob("s20_*"))
    pcm = ("-c:a", "pcm_s16le")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", 16, *pcm)
    for name, source in (("first", first), ("second", second), ("other", other)):
        ffmpeg("-i", source, *h264, folder / f"{name}.mkv")
    first, second = folder / "first.mkv", folder / "second.mkv"
    for name, seconds in (("short", 2), ("glimpse", 1.2)):
        ffmpeg("-i", first, "-t", seconds, "-c", "copy", folder / f"{name}.mkv")
    ffmpeg("-i", first, "-an", "-c", "copy", folder / "mute.mkv")
    ffmpeg("-i", first, "-c:v", "copy", "-af", "volume=0", *pcm, folder / "silent.mkv")
    ffmpeg("-i", first, "-vf", "fps=50", *h264, folder / "fast.mkv")
    hidden = "drawbox=w=iw:h=ih:t=fill:enable='lt(t,1.58)'"
    ffmpeg("-i", first, "-vf", hidden, *h264, folder / "part.mkv")
    ffmpeg("-i", second, "-vf", "scale=iw*0.4:-2", *h264, folder / "small.mkv")
    picture = ("-f", "lavfi", "-i", "testsrc=d=3:r=25")
    ffmpeg(*picture, "-i", first, "-map", "0:v", "-map", "1:a", *h264, folder / "empty.mkv")
    both = ("-i", first, "-i", folder / "other.mkv", "-filter_complex", "hstack=shortest=1")
    ffmpeg(*both, *h264, folder / "two.mkv")
    (folder / "broken.mp4").write_bytes(b"not a video")
    return folder
