"""The generator: what it may see, what it starts from, how it is supervised."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from g4g.config import CropConfig
from g4g.errors import ConfigError
from g4g.generator import (
    OVERSAMPLING,
    Discriminator,
    Gallery,
    Generated,
    GeneratorConfig,
    add_gallery,
    adversarial_loss,
    choose_references,
    discriminator_loss,
    follow_pose,
    hide_lower_half,
    make_gallery,
    pyramid,
    reconstruction_loss,
    try_references,
)
from g4g.zoo import grow, load


@pytest.fixture
def generator():
    return load("g4g-tiny").generator


def _inputs(seed=0):
    rng = torch.Generator().manual_seed(seed)
    crops = torch.rand(2, 3, 128, 128, generator=rng) * 2 - 1
    landmarks = torch.rand(2, 68, 2, generator=rng) * 128
    return crops, landmarks, torch.rand(2, 5, 16, generator=rng)


def test_the_hidden_half_cannot_leak(generator):
    crops, landmarks, audio = _inputs()
    people = generator.encode_references(crops[:, None].repeat(1, 4, 1, 1, 1), landmarks[:, None].repeat(1, 4, 1, 1))
    other_crops, other_landmarks = crops.clone(), landmarks.clone()
    other_crops[:, :, 60:] = 0.5
    other_landmarks[:, 48:] = 7
    other_landmarks[:, :17] = 3
    same = [
        generator(hide_lower_half(c), p, audio, people).picture
        for c, p in ((crops, landmarks), (other_crops, other_landmarks))
    ]
    torch.testing.assert_close(*same, rtol=0, atol=0)


def test_untrained_it_starts_from_the_reference(generator):
    generator.train()
    smooth = torch.linspace(-0.8, 0.8, 128).repeat(1, 3, 128, 1)
    points = torch.rand(1, 68, 2) * 128
    people = generator.encode_references(smooth[:, None].repeat(1, 4, 1, 1, 1), points[:, None].repeat(1, 4, 1, 1))
    output = generator(hide_lower_half(smooth), points, torch.rand(1, 5, 16), people)
    top = round(CropConfig().generated_top * 128)
    assert output.picture.shape == (1, 3, 128 - top, 128)
    assert [p.shape[-1] for p in output.smaller] == [32, 64]
    assert (output.picture - smooth[:, :, top:]).abs().mean() < 0.12


def test_a_grown_generator_paints_finer_and_begins_as_it_was():
    models = load("g4g-tiny")
    before, after = models.generator.train(), grow(models, 2).generator.train()
    torch.manual_seed(0)
    smooth = functional.interpolate(torch.rand(5, 3, 8, 8) * 2 - 1, size=256, mode="bicubic").clamp(-1, 1)
    small, points, sound = functional.avg_pool2d(smooth, 2), torch.rand(1, 4, 68, 2) * 128, torch.rand(1, 5, 16)
    made, finer = (
        network(hide_lower_half(crops[:1]), points[:, 0], sound, network.encode_references(crops[None, 1:], points))
        for network, crops in ((before, small), (after, smooth))
    )
    assert finer.picture.shape == (1, 3, 160, 256) and [x.shape[-1] for x in finer.smaller] == [32, 64, 128]
    torch.testing.assert_close(finer.landmarks, made.landmarks)
    torch.testing.assert_close(finer.smaller[-1], made.picture)
    assert (functional.avg_pool2d(finer.picture, 2) - made.picture).abs().mean() < 0.01
    side = functional.interpolate(smooth[1:], scale_factor=4, mode="bilinear")[None]
    drawn = [
        network.render_fine(output, network.encode_references(side, points))
        for network, output in ((before, made), (after, finer))
    ]
    assert drawn[0].shape == drawn[1].shape == (1, 3, 320, 512) and (drawn[0] - drawn[1]).abs().mean() < 0.01
    with pytest.raises(ConfigError, match="1 times as fine"):
        grow(grow(models, 2), 1)


def test_references_show_the_shapes_that_they_are_named_for():
    landmarks = np.zeros((9, 68, 2))
    landmarks[:, 42:48] = [100, 0]
    landmarks[:, 54] = [50, 0]
    landmarks[:, [65, 66, 67], 1] = np.array([5, 3, 9, 1, 4, 2, 6, 7, 8])[:, None] * 10
    closed, opened, middle, _ = choose_references(landmarks)
    assert (closed, opened, middle) == (3, 2, 0)
    assert choose_references(landmarks[:1]).tolist() == [0, 0, 0, 0]


def test_references_are_taken_from_the_usual_pose():
    landmarks = np.zeros((9, 68, 2))
    landmarks[:, 36:42], landmarks[:, 42:48], landmarks[:, 0], landmarks[:, 16] = (0, 0), (100, 0), (-20, 40), (120, 40)
    landmarks[:, 30] = [50, 60]
    landmarks[:, [65, 66, 67], 1] = np.arange(9)[:, None] * 10
    landmarks[[0, 8], 30] = [[20, 60], [90, 60]]
    assert choose_references(landmarks)[:2].tolist() == [1, 7], "the first and last are turned aside"


def test_a_perfect_picture_costs_nothing_and_every_scale_counts():
    truth, weights = torch.rand(1, 3, 80, 128), torch.ones(1, 1, 80, 128)
    assert sum(x.item() for x in reconstruction_loss(pyramid(truth), truth, weights)) == 0
    for scale in range(3):
        wrong = pyramid(truth)
        wrong[scale] = wrong[scale] + 0.1
        assert reconstruction_loss(wrong, truth, weights)[0].item() == pytest.approx((0.05, 0.05, 0.1)[scale], rel=1e-3)


def test_an_even_number_of_windows_has_no_middle():
    with pytest.raises(ConfigError, match="odd"):
        GeneratorConfig(audio_windows=4)


def test_smaller_pictures_are_made_in_training_alone(generator):
    crops, landmarks, audio = _inputs()
    people = generator.encode_references(crops[:, None].repeat(1, 4, 1, 1, 1), landmarks[:, None].repeat(1, 4, 1, 1))
    assert generator.eval()(hide_lower_half(crops), landmarks, audio, people).smaller == []


def test_the_discriminator_learns_to_tell_blur_and_its_loss_says_so():
    torch.manual_seed(0)
    critic = Discriminator()
    optimiser = torch.optim.Adam(critic.parameters(), 1e-3)
    sharp = torch.rand(8, 3, 80, 128) * 2 - 1
    blurred = functional.avg_pool2d(sharp, 5, 1, 2)
    before = discriminator_loss(critic(sharp), critic(blurred)).item()
    for _ in range(30):
        optimiser.zero_grad()
        discriminator_loss(critic(sharp), critic(blurred)).backward()
        optimiser.step()
    critic.eval()
    with torch.no_grad():
        assert discriminator_loss(critic(sharp), critic(blurred)).item() < before / 2
        told, features = adversarial_loss(critic(sharp), critic(blurred))
        told_of_truth, same = adversarial_loss(critic(sharp), critic(sharp))
    assert told > told_of_truth and features > same == 0


def test_each_pose_of_a_head_has_references_of_its_own_and_frames_pass_over_between_them():
    turns = np.repeat([0.0, 30.0, 0.0], 30)
    landmarks = np.tile(np.random.default_rng(0).uniform(30, 98, (1, 68, 2)), (90, 1, 1)).astype(np.float32)
    landmarks[:, 30, 0] += turns
    landmarks[:, [57, 66], 1] += np.arange(90)[:, None] % 9
    poses, shares = follow_pose(landmarks)
    assert poses.shape[:2] == (2, 4) and shares.shape == (90, 2)
    np.testing.assert_allclose(shares.sum(1), 1)
    for pose, share in zip(poses, shares.T, strict=True):
        assert len(set(turns[pose].ravel())) == 1 and (share[turns == turns[pose[0, 0]]] >= 0.4).all()
    assert np.abs(np.diff(shares, axis=0)).max() < 0.2, "no jump"
    still, all_of_them = follow_pose(landmarks[:30])
    np.testing.assert_array_equal(still[..., 0], choose_references(landmarks[:30])[None])
    opening = landmarks[:30, 66, 1]
    assert (all_of_them == 1).all() and opening[still[0, 1]].min() > np.median(opening) > opening[still[0, 0]].max()
    assert not follow_pose(landmarks[:1])[0].any()


def test_the_candidate_with_which_real_frames_are_made_best_is_chosen():
    generator = load("g4g-tiny").generator
    torch.manual_seed(0)
    face = np.random.default_rng(0).integers(0, 255, (128, 128, 3)).astype(np.uint8)
    other = 255 - face
    pictures = np.stack([[other, face], [face, other], [other, other], [other, face]]).repeat(2, 2).repeat(2, 3)
    frames, points = np.stack([face] * 3), np.tile(np.linspace(20, 100, 68, dtype=np.float32)[:, None], (3, 1, 2))
    shapes = np.tile(points[0], (4, 2, 1, 1))
    picked = try_references(generator, frames, points, torch.randn(3, 5, 16), pictures, shapes)
    assert picked.tolist()[:2] == [1, 0] and picked[3] == 1
    assert not try_references(generator, frames, points, torch.randn(3, 5, 16), pictures[:, :1], shapes[:, :1]).any()


def test_a_gallery_helps_where_the_video_does_not_show_a_mouth_shape():
    rng = np.random.default_rng(0)
    face = np.zeros((68, 2), np.float32)
    face[36:42], face[42:48], face[0], face[16], face[30] = (40, 32), (88, 32), (24, 40), (104, 40), (64, 64)
    face[48], face[54] = (50, 90), (78, 90)

    def mouth(opening, nose=64.0):
        points = face.copy()
        points[[61, 62, 63], 1], points[[67, 66, 65], 1] = 90 - opening / 2, 90 + opening / 2
        points[30, 0] = nose
        return points

    video = np.stack([mouth(opening) for opening in np.linspace(0, 2, 9)])
    looks = np.kron(rng.integers(60, 120, (8, 8, 3)), np.ones((16, 16, 1)))
    crops = (looks + rng.integers(0, 9, (4, 128, 128, 3))).astype(np.uint8)
    points = np.stack([mouth(1), mouth(12), mouth(20, nose=90.0)])
    gallery = Gallery((looks * 2 + rng.integers(0, 9, (3, 128, 128, 3))).astype(np.uint8), points)
    pictures, points = add_gallery(gallery, video, crops, video[[0, 8, 4, 8]])
    np.testing.assert_array_equal(pictures[[0, 2]], crops[[0, 2]])
    np.testing.assert_array_equal(points[1], gallery.landmarks[1], "open, and not the one that is turned away")
    assert abs(pictures[1, 32:60, 32:96].mean() - crops[0, 32:60, 32:96].mean()) < 2, "in the light of the video"
    stranger = Gallery(gallery.crops[:, ::-1], points)
    np.testing.assert_array_equal(add_gallery(stranger, video, crops, video[[0, 8, 4, 8]])[0], crops)
    made = make_gallery([crops, crops], [video[[0, 8, 4, 8]], video[[0, 0, 0, 0]]])
    assert len(made.crops) == len(made.landmarks) <= 4


def test_fine_drawing_agrees_with_the_generator_and_keeps_what_it_cannot_hold():
    generator, side = load("g4g-tiny").generator, 256 * OVERSAMPLING
    torch.manual_seed(0)
    fine = torch.rand(1, 4, 3, side, side) * 2 - 1
    smooth = functional.interpolate(torch.rand(4, 3, 8, 8) * 2 - 1, size=side, mode="bicubic")[None].clamp(-1, 1)
    crop, points, sound = torch.rand(1, 3, 128, 128), torch.rand(1, 68, 2) * 128, torch.rand(1, 5, 16)
    for crops, difference in ((smooth, 0.02), (fine, None)):
        people = generator.encode_references(crops, torch.rand(1, 4, 68, 2) * 128)
        made = generator(hide_lower_half(crop), points, sound, people)
        drawn = generator.render_fine(made, people)
        assert drawn.shape == (1, 3, 160, 256)
        small = functional.avg_pool2d(drawn, 2)
        if difference:
            assert (small - made.picture).abs().mean() < difference, "the same picture, finer"
        else:
            blurred = functional.interpolate(made.picture, scale_factor=2, mode="bilinear")
            assert drawn.diff(dim=-1).abs().mean() > 1.5 * blurred.diff(dim=-1).abs().mean(), "with its own detail"


def test_blended_references_keep_the_amount_of_detail_that_each_has():
    generator, side = load("g4g-tiny").generator, 128 * OVERSAMPLING
    torch.manual_seed(0)
    pores = torch.randn(1, 4, 1, side, side).expand(-1, -1, 3, -1, -1)
    people = generator.encode_references(pores, torch.rand(1, 4, 68, 2) * 128)
    maps = torch.zeros(1, 16, 40, 64)
    maps[:, -1] = -20
    alone = maps.clone()
    alone[:, 8] = 20
    flat = torch.zeros(1, 3, 80, 128)
    one, blend = (
        generator.render_fine(Generated(flat, [], torch.zeros(1, 37, 2), x, flat), people).diff(dim=-1).std()
        for x in (alone, maps)
    )
    assert 0.7 < blend / one < 1, "a plain mean of four has half"


def test_colour_that_no_reference_shows_is_no_greener_or_bluer_than_they_are():
    generator, side = load("g4g-tiny").generator, 128 * OVERSAMPLING
    skin = torch.tensor([0.4, 0.0, -0.3])[:, None, None].expand(1, 4, 3, side, side)
    people = generator.encode_references(skin, torch.rand(1, 4, 68, 2) * 128)
    maps, flat = torch.zeros(1, 16, 40, 64), torch.zeros(1, 3, 80, 128)
    maps[:, -1] = 20
    drawn = []
    for colour in ([-0.5, 0.5, 0.5], [-0.5, -0.9, -0.9]):
        maps[:, 12:15] = torch.tensor(colour).atanh()[:, None, None]
        made = Generated(flat, [], torch.zeros(1, 37, 2), maps, flat)
        drawn.append(generator.render_fine(made, people)[0, :, 40, 64])
    assert (drawn[0][1:] < -0.5).all(), "teal becomes a dark red"
    torch.testing.assert_close(drawn[1], torch.tensor([-0.5, -0.9, -0.9]), rtol=0, atol=1e-3)


def test_emphasis_moves_the_mouth_further_and_leaves_silence_alone():
    models = load("g4g-tiny")
    generator, rest = models.generator, models.aligner.embed_silence().expand(1, 5, -1)
    torch.manual_seed(0)
    people = generator.encode_references(torch.rand(1, 4, 3, 128, 128), torch.rand(1, 4, 68, 2) * 128)
    torch.nn.init.normal_(generator.landmark_head[-1].weight, std=0.1)
    crop, points, speech = torch.rand(1, 3, 128, 128), torch.rand(1, 68, 2) * 128, torch.randn(1, 5, 16)
    make = lambda sound, emphasis: generator(crop, points, sound, people, emphasis).landmarks  # noqa: E731
    moved = [(make(speech, emphasis) - make(rest, 1.0)).abs().mean() for emphasis in (0.0, 1.0, 1.5)]
    assert moved[0] < 1e-5 < moved[1] < moved[2]
    generator.speech.copy_(torch.randn(16))
    torch.testing.assert_close(make(rest, 2.0), make(rest, 1.0))


def test_emphasis_is_contrast_against_what_sounds_do_on_average():
    generator = load("g4g-tiny").generator
    torch.manual_seed(0)
    voices = torch.randn(8, 5, 16)
    learnt, rest = generator.hear(voices), generator.hear(voices, emphasis=0)
    usual = (learnt - rest).norm(dim=1).argmin()
    generator.speech.copy_((learnt - rest)[usual])
    emphasised = generator.hear(voices, emphasis=1.5)
    torch.testing.assert_close(emphasised[usual], learnt[usual])
    torch.testing.assert_close(emphasised - emphasised[usual], 1.5 * (learnt - learnt[usual]))


def test_training_learns_what_sounds_do_on_average_without_the_silence_among_them():
    models = load("g4g-tiny")
    generator, silence = models.generator, models.aligner.embed_silence().expand(16, 5, -1)
    torch.manual_seed(0)
    voice = torch.randn(1, 5, 16).expand(16, -1, -1)
    said = (generator.hear(voice) - generator.hear(silence))[0]
    generator.train()
    for _ in range(600):
        generator.hear(torch.cat([voice, silence]))
    torch.testing.assert_close(generator.speech, said, rtol=0.02, atol=0.001)
