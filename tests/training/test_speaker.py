"""What one speaker's training is made of: shots joined, and the base as teacher on foreign sounds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from g4g.generator import Maps
from g4g.motion import frame_speech
from g4g.training.base_teacher import BaseTeacher, make_foreign, measure_drift
from g4g.training.data import Shot, load_shots
from g4g.training.examples import Subject
from g4g.training.join_shots import join_shots
from g4g.training.prepare import prepare
from g4g.training.speaker import HeldOut
from g4g.training.speaker_run import mix_generators
from g4g.zoo import load


def make_shot(number: int, frames: int) -> Shot:
    """A shot whose crops and features say which shot and which moment they are of."""
    times_s = 0.2 + np.arange(frames) / 25
    crops = np.full((frames, 4, 4, 3), 100 * number, np.uint8) + np.arange(frames, dtype=np.uint8)[:, None, None, None]
    speech = np.stack([np.full(frames * 2 + 40, number), np.arange(frames * 2 + 40)], 1).astype(np.float32)
    mesh = np.zeros((frames, 478, 3), np.float32)
    return Shot(str(number), "", "", crops, mesh, times_s, np.zeros(0, np.int16), speech=speech)


def test_joined_shots_show_and_hear_what_each_did():
    shots = [make_shot(0, 5), make_shot(1, 7), make_shot(2, 3)]
    joined = join_shots(shots)
    assert len(joined) == len(joined.crops) == 15 and len(joined.mesh) == 15
    assert [int(joined.crops[i][0, 0, 0]) for i in (0, 4, 5, 11, 12, 14)] == [0, 4, 100, 106, 200, 202]
    heard = frame_speech(joined.speech, joined.times_s, 3)
    own = np.concatenate([frame_speech(shot.speech, shot.times_s, 3) for shot in shots])
    np.testing.assert_allclose(heard, own, atol=1e-3)


def test_shots_of_one_sound_keep_their_clock():
    first = make_shot(0, 30)
    parts = [replace(first, crops=first.crops[a:b], mesh=first.mesh[a:b], times_s=first.times_s[a:b])
             for a, b in ((0, 10), (15, 30))]  # fmt: skip
    joined = join_shots(parts)
    assert joined.speech.shape == first.speech.shape
    np.testing.assert_array_equal(joined.times_s, np.concatenate([part.times_s for part in parts]))


def test_drift_is_zero_at_the_base_and_grows_with_flow_and_shares():
    sizes = (4, 3, 3), (3, 3, 3), (3, 3, 3), (1, 3, 3), (3, 6, 6)
    base = Maps(*(torch.zeros(1, *size) for size in sizes))
    assert all(value == 0 for value in measure_drift(base, base).values())
    other = replace(base, flow=base.flow + 0.5, colour=base.colour + 9, detail=base.detail + 9)
    assert measure_drift(other, base) == {"keep_flow": 0.5, "keep_shares": 0}, "colour and detail are free"
    shifted = replace(base, logits=base.logits + torch.tensor([9.0, 0, 0])[:, None, None])
    assert measure_drift(shifted, base)["keep_shares"] == pytest.approx(4 / 9, abs=1e-2)


@pytest.fixture(scope="module")
def shot(data_dir, in_process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shot")
    with in_process():
        prepare([data_dir / "grid/s26/pbbg5p.mpg"], folder, crop_px=128)
    return load_shots(folder)[0]


def test_a_held_out_frame_is_made_of_pictures_of_its_own_clip(shot):
    generator, heard = load("g4g-tiny").generator, np.zeros((200, 16), np.float32)

    def cut(clip, a, b):
        crops, mesh, times_s = (part[a:b] for part in (shot.crops, shot.mesh, shot.times_s))
        return replace(shot, clip=clip, speech=heard, crops=crops, mesh=mesh, times_s=times_s)

    held, learnt, other = cut("ann", 60, 75), cut("ann", 0, 40), cut("ben", 40, 60)

    def find_frames(learnt):
        canvas = HeldOut(generator, [held], learnt, None)._canvas
        same = (canvas.references[:, :, None] == shot.crops[None, None]).all((-3, -2, -1))
        return same.argmax(-1), same.any(-1).all()

    frames, found = find_frames([other, learnt])
    assert found and frames.max() < 40, "what is learnt of the same clip"
    frames, found = find_frames([other])
    apart = np.abs(frames - np.arange(60, 75)[:, None])
    assert found and frames.min() >= 60 and apart.min() >= 4, "its own, of another moment"


def test_the_base_teaches_what_has_left_it(shot):
    models = load("g4g-tiny")
    foreign = make_foreign(models, shot.waveform / np.float32(32767))
    assert len(foreign[0]) / len(foreign[1]) == pytest.approx(25 / 16, rel=0.05), "slower and quicker"
    subjects = [Subject.of(replace(shot, speech=foreign[0]))]
    teacher = BaseTeacher(models.generator, models.motion.space, subjects, foreign)
    ask = lambda network: [  # noqa: E731
        terms for i in range(6) if (terms := teacher.compare(network, np.random.default_rng(i)))
    ]
    same = ask(models.generator)
    assert 0 < len(same) < 6 and all(value == 0 for terms in same for value in terms.values())
    left = load("g4g-tiny").generator.requires_grad_(True)
    with torch.no_grad():
        left.head.bias += torch.linspace(-1, 1, len(left.head.bias))
    terms = ask(left)[0]
    assert all(value > 0 for value in terms.values())
    sum(terms.values()).backward()
    assert left.head.bias.grad.abs().sum() > 0


def test_generators_mix_weight_by_weight():
    start, end = load("g4g-tiny").generator, load("g4g-tiny").generator
    with torch.no_grad():
        for number, weight in enumerate(end.parameters()):
            weight += number
    mixed = mix_generators(start, end, 0.25)
    for number, (a, m, b) in enumerate(zip(*(g.parameters() for g in (start, mixed, end)), strict=True)):
        torch.testing.assert_close(m, a + number / 4)
        torch.testing.assert_close(b, a + number)
