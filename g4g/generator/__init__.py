"""The generator: pictures of the person, warped by geometry, become the frame's lower face."""

from g4g.generator.discriminator import Discriminator, adversarial_loss, discriminator_loss
from g4g.generator.draw import draw_coarse, draw_frames, enlarge_maps, make_sketch, sample_pictures
from g4g.generator.model import GUIDES, Generator, GeneratorConfig, Layout, Maps

__all__ = [
    "Discriminator", "GUIDES", "Generator", "GeneratorConfig", "Layout", "Maps", "adversarial_loss",
    "discriminator_loss", "draw_coarse", "draw_frames", "enlarge_maps", "make_sketch", "sample_pictures",
]  # fmt: skip
