"""Avatars of real clips, with tiny networks."""

from dataclasses import replace

import numpy as np
import pytest

from g4g.avatar import kept as kept_module
from g4g.avatar import make_avatar
from g4g.avatar import prepare as prepare_module
from g4g.avatar.clock import Clock
from g4g.avatar.finish import choose_finish
from g4g.avatar.person import UNTRIED_FINISH
from g4g.errors import FaceError, MediaError
from g4g.faces import crop_face, refine_crop
from g4g.media import read_frames
from g4g.painter import Painted, Painter
from g4g.zoo import load


@pytest.fixture(scope="module")
def tiny():
    return load("g4g-tiny")


@pytest.fixture(scope="module")
def short(ffmpeg, grid_clip, tmp_path_factory):
    """The real clip's first 20 frames, of which two are blurred."""
    path = tmp_path_factory.mktemp("clips") / "short.mp4"
    ffmpeg("-i", grid_clip, "-frames:v", 20, "-t", 0.8, "-vf", "gblur=sigma=4:enable='between(n,7,8)'", "-crf", 8, path)
    return path


def test_every_sharp_frame_is_an_entry_cut_out_as_it_is(tiny, short):
    avatar = make_avatar(tiny, short)
    (person,) = avatar.persons.values()
    library, frames = person.library.in_video, [item.frame for item in read_frames(short)]
    assert library.frames.tolist() == [n for n in range(20) if n not in (7, 8)]
    assert (library.times_s == avatar.tracks.times_s[library.frames]).all()
    for entry in (0, 11):
        row = person.head.find_rows(library.frames[entry])
        matrix = refine_crop(avatar.tracks.frame_to_crop[row], person.scale)
        cut = crop_face(frames[library.frames[entry]], matrix, 128 * person.scale, "bicubic")
        assert np.array_equal(library.crops[entry], cut)
        assert (
            np.abs(library.meshes[entry][:468] - person.head.draw([row], person.head.lift([row]))[0, :468]).max() < 1e-3
        )


def test_what_was_kept_gives_the_crops_of_another_reading_and_is_given_away(tiny, short, monkeypatch):
    monkeypatch.setenv("G4G_CACHE", "")  # tracks that are known are not followed
    read, pick = [], prepare_module.pick_pictures
    monkeypatch.setattr(
        prepare_module,
        "pick_pictures",
        lambda path, numbers, **how: read.append(list(numbers)) or pick(path, numbers, **how),
    )
    maker = prepare_module.AvatarMaker(tiny, "mediapipe", Clock())
    whole = maker.look(short)
    crops = [maker.meet_all(whole).persons[0].library.crops for _ in range(2)]
    assert whole.kept.is_whole and read == [[], []]
    monkeypatch.setattr(prepare_module, "KeptParts", lambda frames: kept_module.KeptParts())
    parts = maker.look(short)
    crops += [maker.meet_all(parts).persons[0].library.crops for _ in range(2)]
    assert not parts.kept.is_whole and read[2:] == [[], list(range(20))]
    monkeypatch.setattr(kept_module, "MOST_BYTES", 200_000)
    crops.append(make_avatar(tiny, short).persons[0].library.crops)
    assert read[4:] == [list(range(20))] and all(np.array_equal(crops[0], some) for some in crops)


def test_a_still_is_a_library_of_one_and_of_it_opened(tiny, portrait_file):
    avatar = make_avatar(tiny, portrait_file)
    person = avatar.persons[0]
    assert len(person.library.in_video) == 1 and person.gain == 1.0 and not len(avatar.speech)
    assert np.isfinite(person.shapes).all()


def test_a_library_that_would_be_too_large_is_a_spread_of_it(tiny, short, monkeypatch):
    whole = make_avatar(tiny, short).persons[0].library.in_video
    monkeypatch.setattr(prepare_module, "share_entries", lambda counts, sizes: [6])
    few = make_avatar(tiny, short).persons[0].library.in_video
    assert 4 <= len(few) <= 6 and set(few.frames) <= set(range(20))
    spread = lambda library: np.ptp(library.shapes, axis=0)[0]  # noqa: E731
    assert spread(few) > 0.85 * spread(whole)


def test_nobody_to_be_met_is_one_sentence(tiny, tmp_path):
    from PIL import Image

    Image.new("RGB", (200, 200)).save(tmp_path / "black.png")
    with pytest.raises(FaceError, match="no face in .*black.png can be dubbed"):
        make_avatar(tiny, tmp_path / "black.png")
    with pytest.raises(MediaError, match="no such file"):
        make_avatar(tiny, tmp_path / "absent.mp4")


class _Sharpened(Painted):
    """Sharpening shows more of the frame's own picture."""

    def sharpen(self, sharpening):
        maps = self.maps.copy()
        maps[..., 11] = np.minimum(maps[..., 11] + sharpening / 0.32, 1)
        return replace(self, maps=maps)


def test_the_generators_colour_is_taken_and_mouths_are_sharpened_as_far_as_it_helps(tiny, grid_clip, monkeypatch):
    avatar = make_avatar(tiny, grid_clip)
    painter, person, space = Painter(tiny.generator, tiny.fusion), avatar.persons[0], tiny.motion.space
    monkeypatch.setattr("g4g.avatar.finish._CRISP_ENOUGH", 0.5)
    for residual, soft in ((0.0, False), (0.5, True), (1.0, False)):

        def paint(canvas, finish, residual=residual, soft=soft):
            maps = np.zeros((len(canvas.crops), 80, 128, 21), np.float32)
            maps[..., 11], maps[..., -1] = 1, 1  # the frame's own picture
            maps[..., 6], maps[..., 7] = np.arange(128), np.arange(48, 128)[:, None]
            maps[..., 17:20] = 40 * abs(finish.residual - residual)
            if soft:  # half of the picture, half of a flat colour, as far as it is not sharpened
                maps[..., 11] = 0.5
            return _Sharpened(maps, canvas.references, maps[..., -1])

        monkeypatch.setattr(painter, "paint_each", lambda canvas, finishes: [paint(canvas, one) for one in finishes])
        finish = choose_finish(painter, person, space, avatar.speech)
        assert finish.residual == residual and (finish.sharpening > 0.1) == soft
    few = replace(person, library=person.library.take(np.arange(3)))
    assert choose_finish(painter, few, space, avatar.speech) == UNTRIED_FINISH
