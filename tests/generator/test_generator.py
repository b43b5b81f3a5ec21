"""The generator: what it starts from, what it never shows, how frames are drawn and supervised."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from g4g.errors import ConfigError
from g4g.generator import (
    Discriminator,
    Generator,
    GeneratorConfig,
    Layout,
    Maps,
    adversarial_loss,
    discriminator_loss,
    draw_frames,
    make_sketch,
    sample_pictures,
)
from g4g.generator.loss import edge_weights, pyramid, reconstruction_loss

SIZE, CONFIG = 128, GeneratorConfig(references=2, speech=16, style=8, channels=(8, 8, 8))


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(CONFIG)


def lay_identity(top: int, pictures: int = 3) -> Layout:
    """Each picture shows each pixel where it is; the last one, the frame's own, is not to be seen."""
    rows, columns = torch.meshgrid(torch.arange(top, SIZE), torch.arange(SIZE), indexing="ij")
    places = torch.stack([columns, rows], -1).float().expand(1, pictures, -1, -1, 2)
    seen = torch.ones(1, pictures, SIZE - top, SIZE)
    seen[:, -1] = 0
    return Layout(places, seen, torch.zeros_like(seen), torch.zeros(1, 3, SIZE - top, SIZE))


def make_maps(top: int, logits: list[float]) -> Maps:
    """Maps without flow and detail; one logit for each reference and for colour, which is white."""
    half = ((SIZE - top) // 2, SIZE // 2)
    levels = torch.tensor(logits)[None, :, None, None].expand(1, -1, *half)
    flow, colour, crispness = torch.zeros(1, 4, *half), torch.ones(1, 3, *half), torch.ones(1, 1, *half)
    return Maps(flow, levels, colour, crispness, torch.zeros(1, 3, SIZE - top, SIZE))


def draw(pictures: torch.Tensor, layout: Layout, maps: Maps) -> torch.Tensor:
    small = functional.interpolate(pictures.flatten(0, 1), (SIZE, SIZE), mode="area").unflatten(0, pictures.shape[:2])
    return draw_frames(pictures, make_sketch(small, layout, maps), SIZE)


def run(generator: Generator, pictures: torch.Tensor, layout: Layout) -> torch.Tensor:
    maps = generator(sample_pictures(pictures, layout.places, SIZE), layout, torch.rand(1, 9, 16))
    return draw(pictures, layout, maps)


def test_untrained_it_shows_the_references(generator):
    pictures = torch.linspace(-0.8, 0.8, SIZE).expand(1, 3, 3, SIZE, SIZE)
    layout = lay_identity(generator.top)
    made = run(generator, pictures, layout)
    assert made.shape == (1, 3, SIZE - generator.top, SIZE)
    assert (made - pictures[:, 0, :, generator.top :]).abs().mean() < 0.05


def test_the_frame_s_own_hidden_picture_cannot_leak(generator):
    torch.manual_seed(1)
    pictures, layout = torch.rand(1, 3, 3, SIZE, SIZE), lay_identity(generator.top)
    speech, made = torch.rand(1, 9, 16), []
    for own in (0.0, 1.0):
        pictures[:, -1] = own
        maps = generator(sample_pictures(pictures, layout.places, SIZE), layout, speech)
        made.append(draw(pictures, layout, maps))
    torch.testing.assert_close(*made, rtol=0, atol=0)


def test_what_a_picture_hides_another_one_shows():
    top = 48
    pictures = torch.stack([torch.full((3, SIZE, SIZE), level) for level in (-0.5, 0.5, 0.0)])[None]
    layout = lay_identity(top)
    seen = layout.seen.clone()
    seen[:, 0, :, : SIZE // 2] = 0
    drawn = draw(pictures, replace(layout, seen=seen), make_maps(top, [9.0, 5.0, -9.0]))
    assert drawn[0, 0, 40, 10] > 0.4 and drawn[0, 0, 40, 100] < -0.4


def test_the_frame_s_own_picture_is_taken_where_it_is_right():
    pictures, layout = torch.rand(1, 3, 3, SIZE, SIZE), lay_identity(48)
    seen = layout.seen.clone()
    seen[:, -1, :, :30] = 1
    drawn = draw(pictures, replace(layout, seen=seen), make_maps(48, [0.0, 0.0, 9.0]))
    torch.testing.assert_close(drawn[..., :30], pictures[:, -1, :, 48:, :30], atol=1e-5, rtol=0)
    assert drawn[..., 40:].min() > 0.9, "colour elsewhere"


def test_where_nothing_is_shown_there_is_colour():
    layout = lay_identity(48)
    hidden = replace(layout, seen=torch.zeros_like(layout.seen))
    drawn = draw(torch.zeros(1, 3, 3, SIZE, SIZE), hidden, make_maps(48, [0.0, 0.0, 4.0]))
    assert drawn.min() > 0.9


def test_a_fine_frame_has_as_much_detail_as_the_generator_asks_for():
    torch.manual_seed(0)
    fine = torch.rand(1, 3, 3, 2 * SIZE, 2 * SIZE)
    layout, maps = lay_identity(48), make_maps(48, [0.0, 0.0, -20.0])
    plain, kept = (draw(fine, layout, replace(maps, crispness=torch.full_like(maps.crispness, c))) for c in (0.0, 1.0))
    inside = (..., slice(2, -2), slice(2, -2))  # half a pixel of the crop at its border is held
    torch.testing.assert_close(plain[inside], fine[:, :2, :, 96:].mean(1)[inside], atol=1e-4, rtol=0)
    assert kept.diff(dim=-1).std() > 1.1 * plain.diff(dim=-1).std(), "a mean of two loses detail, which is given back"


def test_places_of_a_sketch_are_enlarged_where_they_are():
    torch.manual_seed(0)
    fine = functional.interpolate(torch.rand(1, 9, 16, 16), (3 * SIZE, 3 * SIZE), mode="bicubic").unflatten(1, (3, 3))
    layout, maps = lay_identity(48), make_maps(48, [20.0, 0.0, -20.0])
    moved = replace(layout, places=layout.places + torch.tensor([4.0, -2.0]))
    drawn = draw(fine, moved, maps)[:, :, 12:228, 12:330]
    torch.testing.assert_close(drawn, fine[:, 0, :, 150:366, 24:342], atol=0.02, rtol=0)


def test_pictures_are_compared_at_every_size_and_more_at_the_mouth():
    torch.manual_seed(0)
    truth = torch.rand(1, 3, 80, 128)
    assert [x.shape[-1] for x in pyramid(truth)] == [32, 64, 128]
    landmarks = torch.full((1, 68, 2), 90.0)
    landmarks[:, 48:] += torch.rand(1, 20, 2) * 10
    weights = edge_weights(landmarks, 48, SIZE)
    assert weights.mean() == pytest.approx(1, abs=1e-4) and weights[0, 0, 47, 95] > 3 * weights[0, 0, 5, 5]
    errors = []
    for row, column in ((47, 95), (5, 5)):
        made = truth.clone()
        made[:, :, row - 3 : row + 3, column - 3 : column + 3] += 0.5
        errors.append(sum(reconstruction_loss(pyramid(made), truth, weights)))
    assert errors[0] > 2 * errors[1] and sum(reconstruction_loss(pyramid(truth), truth, weights)) == 0


def test_a_critic_learns_to_tell_real_from_made():
    torch.manual_seed(0)
    critic, real, made = Discriminator(), torch.rand(4, 3, 80, 128), torch.rand(4, 3, 80, 128) * 0.1
    optimiser = torch.optim.Adam(critic.parameters(), 1e-3)
    before = discriminator_loss(critic(real), critic(made)).item()
    for _ in range(5):
        optimiser.zero_grad()
        discriminator_loss(critic(real), critic(made)).backward()
        optimiser.step()
    assert discriminator_loss(critic(real), critic(made)) < before
    fooled = [adversarial_loss(critic(real), critic(x))[0] for x in (real, made)]
    assert fooled[0] < fooled[1]


def test_windows_of_speech_have_a_middle():
    with pytest.raises(ConfigError, match="odd"):
        GeneratorConfig(speech_rows=8)
