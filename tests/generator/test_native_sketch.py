"""Compiled sketches say what torch says of the same maps, at every edge, and a frame that is lost stays so."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from g4g.config import CropConfig
from g4g.generator import Layout, Maps, make_sketch, sample_pictures
from g4g.generator.lanes import LANES
from g4g.generator.native_sample import pack_pictures, sample_packed
from g4g.generator.native_sketch import join_sketch

SIZE, HEIGHT, BATCH = CropConfig().size, 80, 2
MOST_PX, MOST_SHARE, MOST_LEVELS = 1e-3, 1e-4, 0.01


def make_case(references=3, seed=0):
    """Random pictures, layout, maps and masks; places are affine, and leave the pictures here and there."""
    draw = np.random.default_rng(seed)
    random = lambda *shape: torch.from_numpy(draw.random(shape, np.float32))  # noqa: E731
    count, half = references + 1, (HEIGHT // 2, SIZE // 2)
    small = np.kron(draw.integers(0, 256, (BATCH, count, SIZE // 4, SIZE // 4, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    rows, columns = torch.meshgrid(torch.arange(SIZE - HEIGHT, SIZE), torch.arange(SIZE), indexing="ij")
    affine = torch.eye(2) + 0.3 * (random(BATCH, count, 2, 2) - 0.5)
    places = torch.stack([columns, rows], -1).float() @ affine[:, :, None] + 20 * (random(BATCH, count, 1, 1, 2) - 0.5)
    seen = (3 * random(BATCH, count, HEIGHT, SIZE) - 1).clamp(0, 1)
    guide = (random(BATCH, 3, HEIGHT, SIZE) > 0.3).float()
    maps = Maps(
        6 * random(BATCH, 2 * references, *half) - 3, 8 * random(BATCH, count, *half) - 4,
        2 * random(BATCH, 3, *half) - 1, 2 * random(BATCH, 1, *half), random(BATCH, 3, HEIGHT, SIZE) - 0.5,
    )  # fmt: skip
    masks = draw.random((BATCH, SIZE, SIZE), np.float32)
    return small, Layout(places, seen, torch.zeros_like(seen), guide), maps, masks


def join_by_torch(small, layout, maps, masks, residual, sharpening):
    """What `join_sketch` promises, by torch in float64."""
    pictures = torch.from_numpy(np.moveaxis(small, -1, -3) / 127.5 - 1)
    layout, maps = (type(some)(*(part.double() for part in vars(some).values())) for some in (layout, maps))
    sketch = make_sketch(pictures, layout, replace(maps, detail=residual * maps.detail))
    colour, grey = 127.5 * sketch.colour, 127.5 * sketch.coarse.mean(1, keepdim=True)
    taken = torch.from_numpy(masks)[:, None, SIZE - HEIGHT :]
    channels = [sketch.places.flatten(1, 2), sketch.shares, colour, grey, sketch.lost + sharpening, 0 * colour, taken]
    return torch.cat(channels, 1).permute(0, 2, 3, 1).numpy()


def compare(small, layout, maps, masks, residual=0.5, sharpening=0.4):
    """Compare both, channel by channel, and return what was found."""
    wanted = join_by_torch(small, layout, maps, masks, residual, sharpening)
    joined = join_sketch(pack_pictures(small), layout, maps, masks, residual, sharpening)
    count, channels = small.shape[1], wanted.shape[-1]
    assert joined.shape[-1] % LANES == 0 and not joined[..., channels:].any()
    found = joined[..., :channels]
    most = [MOST_PX] * (2 * count) + [MOST_SHARE] * count + [MOST_LEVELS] * 4 + [MOST_SHARE] + [0] * 4
    assert found.shape == wanted.shape and found.dtype == np.float32
    off = np.abs(found - wanted).max((0, 1, 2))
    assert (off <= most).all(), off
    return found


@pytest.mark.parametrize("references", [1, 3, 4])
def test_a_sketch_is_torch_s(references):
    found = compare(*make_case(references))
    assert found[..., :-9].std((0, 1, 2)).min() > 0.01, "every channel says something"


def test_a_flow_may_leave_the_pictures():
    small, layout, maps, masks = make_case()
    found = compare(small, layout, replace(maps, flow=100 * maps.flow), masks)
    assert (found[..., :6] < -1).any() and (found[..., :6] > SIZE).any(), "places may lie beyond; pictures are held"


def test_hidden_references_give_way_to_colour():
    small, layout, maps, masks = make_case()
    hidden = replace(layout, seen=torch.zeros_like(layout.seen))
    found = compare(small, hidden, maps, masks)
    assert found[..., 8:11].sum(-1).mean() < 0.1 < compare(small, layout, maps, masks)[..., 8:11].sum(-1).mean()


@pytest.mark.parametrize("lead", [-300.0, -12.0, 12.0, 300.0])
def test_shares_may_all_but_vanish(lead):
    small, layout, maps, masks = make_case()
    logits = maps.logits.clone()
    logits[:, -1] += lead  # of colour over all references
    found = compare(small, layout, replace(maps, logits=logits), masks)
    shares = found[..., 8:11].sum(-1).mean()
    assert shares < 0.05 if lead > 0 else shares > 0.95


def test_one_reference_is_decided_for_between_the_lips_only():
    small, layout, maps, masks = make_case()
    sums = []
    for inside in (0.0, 1.0):
        guide = layout.guide.clone()
        guide[:, -1] = inside
        sums.append(np.square(compare(small, replace(layout, guide=guide), maps, masks)[..., 8:11]).sum(-1).mean())
    assert sums[1] > 1.1 * sums[0]


@pytest.mark.parametrize("part", [field.name for field in fields(Maps)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_frame_that_is_lost_comes_out_without_numbers_and_its_neighbour_as_ever(part, value):
    small, layout, maps, masks = make_case()
    whole = join_sketch(pack_pictures(small), layout, maps, masks, 0.5, 0.4)
    broken = getattr(maps, part).clone()
    broken[1, -1, -1, -1] = value
    found = join_sketch(pack_pictures(small), layout, replace(maps, **{part: broken}), masks, 0.5, 0.4)
    np.testing.assert_array_equal(found[0], whole[0])
    assert np.isnan(found[1]).all()


def test_pictures_are_sampled_as_torch_samples_them():
    small, layout, _, _ = make_case()
    places = torch.cat([layout.places[:, :1] * 3 - 100, layout.places[:, 1:]], 1)  # far beyond each border too
    pictures = torch.from_numpy(np.moveaxis(small, -1, -3) / 127.5 - 1)
    wanted = sample_pictures(pictures, places.double(), SIZE).numpy()
    found = sample_packed(pack_pictures(small), places.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=MOST_LEVELS / 127.5, rtol=0)
