"""Pack prepared shots with their speech features into one file of bounded size, and unpack it elsewhere.

python benchmarks/pack_data.py DATA -o packed.zip [--features NAME] [--megabytes 60]

Crops become H.264 video (read by OpenCV, so that a borrowed machine needs no ffmpeg), meshes int16 at 1/64 px, features
int8; sounds and original videos are not needed any more.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
from safetensors.numpy import save_file

from g4g.errors import DataError
from g4g.training.data import Shot, load_shot, split_entries
from g4g.training.speech_features import add_speech, find_features

MEGABYTES = 60.0
_PARTS_PER_PX = 64
_CRF = 19
_HELD_EVERY = 8
"""One shot in this many is held out."""


def pack_data(data: str | Path, out: str | Path, features: str | None = None, megabytes: float = MEGABYTES) -> int:
    """Pack as many shots of a prepared folder as fit, stills first, then each speaker in turn; return how many.

    Args:
        data: folder that `g4g prepare` wrote, with features in DATA/speech.
        features: name of the features; None: the only ones.
    Raises:
        DataError: no such features, or not even one shot fits.
    """
    data, features = Path(data), features or find_features(data)
    index, room = json.loads((data / "index.json").read_text()), megabytes * 1e6
    entries = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as file:
        for spoken in sorted((data / "spoken" / features).glob("*.npz")):
            file.write(spoken, f"spoken/{features}/{spoken.name}")
        for entry in _list_entries(data):
            shot = load_shot(data, entry)
            if entry["kind"] == "video":
                [shot] = add_speech([shot], data, features)
            before = file.fp.tell()
            video, arrays = _to_video(np.asarray(shot.crops)), _to_arrays(shot)
            if before + len(video) + len(arrays) > room:
                break
            file.writestr(f"shots/{shot.name}.mp4", video, zipfile.ZIP_STORED)
            file.writestr(f"shots/{shot.name}.npz", arrays)
            entries.append(entry)
        kept = {**index, "shots": entries, "left_out": [], "failed": [], "features": features}
        file.writestr("index.json", json.dumps(kept))
    if not entries:
        raise DataError(f"no shot of {data} fits into {megabytes:g} MB; allow more")
    return len(entries)


def unpack_data(packed: str | Path, folder: str | Path) -> str:
    """Write a packed file as a prepared folder that every training takes; return the name of its features."""
    folder = Path(folder)
    with zipfile.ZipFile(packed) as file:
        index = json.loads(file.read("index.json"))
        speech = folder / "speech" / index["features"]
        for place in (folder / "shots", speech):
            place.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda entry: _unpack_shot(file, folder, speech, entry), index["shots"]))
        for member in file.namelist():
            if member.startswith("spoken/"):
                file.extract(member, folder)
    (folder / "index.json").write_text(json.dumps(index))
    return index["features"]


def _unpack_shot(file: zipfile.ZipFile, folder: Path, speech: Path, entry: dict) -> None:
    name = Path(entry["name"]).name
    arrays = np.load(io.BytesIO(file.read(f"shots/{name}.npz")))
    crops = _from_video(file.read(f"shots/{name}.mp4"))
    shot = {"crops": crops, "mesh": _from_steps(arrays["mesh"]), "times_s": arrays["times_s"]}
    entry["file"] = f"shots/{name}.safetensors"
    save_file(shot | {"waveform": np.zeros(0, np.int16)}, folder / entry["file"])
    if entry["kind"] == "video":
        np.save(speech / f"{name}.npy", (arrays["speech"] * arrays["scale"]).astype(np.float16))


def _list_entries(data: Path) -> list[dict]:
    """List stills to train on, then shots with sound from each speaker in turn, after every few a held-out one."""
    both = split_entries(data)
    train, held = (_take_turns([e for e in part if e["kind"] == "video"]) for part in both)
    entries = [entry for entry in both[0] if entry["kind"] == "still"]
    for number, entry in enumerate(train):
        entries.append(entry)
        if number % (_HELD_EVERY - 1) == 0 and held:
            entries.append(held.pop(0))
    return entries


def _take_turns(entries: list[dict]) -> list[dict]:
    speakers: dict[str, list[dict]] = {}
    for entry in entries:
        speakers.setdefault(entry["speaker"], []).append(entry)
    return [entry for turn in zip_longest(*speakers.values()) for entry in turn if entry]


def _to_arrays(shot: Shot) -> bytes:
    """Pack mesh, times and features; the mesh as steps in time, point by point, for steps are small."""
    steps = np.diff(np.round(shot.mesh * _PARTS_PER_PX).astype(np.int32), axis=0, prepend=0).astype(np.int16)
    speech = (np.zeros((1, 1)) if shot.speech is None else shot.speech).astype(np.float32)
    scale = np.maximum(np.abs(speech).max(0), 1e-6) / 127
    buffer = io.BytesIO()
    np.savez(
        buffer, mesh=np.ascontiguousarray(steps.transpose(1, 2, 0)), times_s=shot.times_s, scale=scale,
        speech=np.round(speech / scale).astype(np.int8),
    )  # fmt: skip
    return buffer.getvalue()


def _from_steps(steps: np.ndarray) -> np.ndarray:
    parts = np.ascontiguousarray(steps.transpose(2, 0, 1)).astype(np.int32).cumsum(0)
    return (parts / _PARTS_PER_PX).astype(np.float32)


def _to_video(crops: np.ndarray) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path, side = Path(folder) / "crops.mp4", crops.shape[1]
        writer = imageio_ffmpeg.write_frames(
            str(path), (side, side), fps=25, codec="libx264", macro_block_size=2, quality=None,
            output_params=["-crf", str(_CRF), "-preset", "medium", "-bf", "2"],
        )  # fmt: skip
        writer.send(None)
        for crop in crops:
            writer.send(np.ascontiguousarray(crop))
        writer.close()
        return path.read_bytes()


def _from_video(content: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crops.mp4"
        path.write_bytes(content)
        video, frames = cv2.VideoCapture(str(path)), []
        while (frame := video.read()[1]) is not None:
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return np.stack(frames)


def main() -> None:
    """Parse, pack, tell the size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder that g4g prepare wrote, with features (g4g train writes them there)")
    parser.add_argument("-o", "--out", default="packed.zip", help="(%(default)s)")
    parser.add_argument("--features", help="their name in DATA/speech (the only ones)")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="at most (%(default)s)")
    given = parser.parse_args()
    count = pack_data(given.data, given.out, given.features, given.megabytes)
    print(f"{count} shots in {given.out}, {Path(given.out).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
