"""Hostile files: no other file or address is opened, and no broken byte brings more than one sentence."""

import os
import subprocess
import sys

import numpy as np
import pytest

import g4g
from g4g.media import FrameFormat, VideoWriter, probe, read_waveform

MUTATIONS = int(os.environ.get("G4G_FUZZ", "20"))
"""Broken files that each fuzz test makes; they are seeded, so a larger number only adds to a smaller one."""


@pytest.fixture
def secret(cut):
    """A video that no other file may show."""
    return cut("secret.ts")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("web.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        ("script.mp4", "ffconcat version 1.0\nfile secret.ts\n"),
        ("session.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        ("film.ffmeta", ";FFMETADATA1\ntitle=x\n"),
    ],
)
def test_a_file_that_points_to_another_is_refused(secret, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    for read in (probe, read_waveform):
        with pytest.raises(g4g.MediaError, match="cannot be read as video, picture or sound"):
            read(tmp_path / name)


def test_no_file_name_reaches_a_shell_or_an_option(tiny, cut, voice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for names in (("-y", "a b'c\"d", "$(touch pwned)"), ("ü日本%03d:x", "http:x", "x;touch pwned")):
        cut("plain.mp4").rename(f"{names[0]}.mp4")
        os.link(voice, f"{names[1]}.wav")
        report = tiny.dub(f"{names[0]}.mp4", f"{names[1]}.wav", f"{names[2]}.mkv", length="video")
        assert report.frames_dubbed == 15 and os.path.exists(f"{names[2]}.mkv")
    assert not os.path.exists("pwned")


def test_what_is_written_meanwhile_is_private(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", FrameFormat(64, 48, 25)) as writer:
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        writer.write(np.zeros((48, 64, 3), np.uint8))


MUTATE = """
import random, sys
from pathlib import Path
from g4g.errors import G4GError

def mutate(data, seed):
    "Overwrite, zero, double or cut off bytes; half of the time near the start, where headers and lengths stand."
    dice, data = random.Random(seed), bytearray(data)
    for _ in range(dice.randint(1, 8)):
        place = dice.randrange(min(len(data), 2000) if dice.random() < 0.5 else len(data))
        kind = dice.randrange(5)
        if kind == 0:
            data[place] = dice.randrange(256)
        elif kind == 1:
            data[place : place + 4] = dice.choice([2**32 - 1, 0, 2**31 - 1, 1]).to_bytes(4, "big")
        elif kind == 2:
            length = dice.randint(1, 400)
            data[place : place + length] = bytes(length)
        elif kind == 3:
            data[place:place] = data[place : place + dice.randint(1, 200)]
        else:
            del data[max(place, 8):]
    return bytes(data)

folder, count, *sources = sys.argv[1:]
for source in map(Path, sources):
    data, fine = source.read_bytes(), 0
    for seed in range(int(count)):
        broken = Path(folder) / ("broken" + source.suffix)
        broken.write_bytes(mutate(data, seed))
        try:
            use(broken)
            fine += 1
        except G4GError as error:
            assert str(error).strip(), seed
    assert fine < int(count), "some must have been broken enough"
print("done")
"""
USE_VIDEO = """
from itertools import islice
from g4g.media import probe, read_frames, read_waveform

def use(path):
    probe(path)
    for _ in islice(read_frames(path, alpha=path.suffix == ".webm", on_fault=lambda sentence: None), 40):
        pass
    read_waveform(path)
"""
USE_CHECKPOINT = """
import g4g

def use(path):
    g4g.load(path)
"""


def fuzz(use, sources, tmp_path):
    """Run in a process of its own: a crash or a hang must fail this test, not end it."""
    (tmp_path / "broken").mkdir()
    command = [sys.executable, "-c", use + MUTATE, str(tmp_path / "broken"), str(MUTATIONS), *map(str, sources)]
    limit_s = 60 + MUTATIONS * len(sources)
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stderr[-2000:]


def test_no_broken_video_brings_more_than_one_sentence(cut, tmp_path):
    small = ("-frames:v", 6, "-vf", "scale=120:144", "-ac", 1)
    clear = (
        "-vf",
        "scale=120:144,format=rgba,colorchannelmixer=aa=0.5,format=yuva420p",
        "-c:v",
        "libvpx-vp9",
        "-cpu-used",
        8,
    )
    sources = [cut(f"talk.{ending}", *small) for ending in ("mp4", "mkv", "avi", "mpg")]
    fuzz(USE_VIDEO, [*sources, cut("clear.webm", *small, *clear)], tmp_path)


def test_no_broken_checkpoint_brings_more_than_one_sentence(tmp_path):
    from g4g.zoo import load, save_models

    save_models(tmp_path / "tiny.safetensors", load("g4g-tiny"))
    fuzz(USE_CHECKPOINT, [tmp_path / "tiny.safetensors"], tmp_path)
