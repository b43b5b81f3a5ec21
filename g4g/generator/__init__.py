"""The generator: pictures of the person, warped by geometry, become the frame's lower face."""

from g4g.generator.discriminator import Discriminator, adversarial_loss, discriminator_loss
from g4g.generator.draw import draw_frames, sample_pictures
from g4g.generator.loss import edge_weights, reconstruction_loss
from g4g.generator.model import GUIDES, Generator, GeneratorConfig, Layout, Maps

__all__ = [
    "Discriminator", "GUIDES", "Generator", "GeneratorConfig", "Layout", "Maps", "adversarial_loss",
    "discriminator_loss", "draw_frames", "edge_weights", "reconstruction_loss", "sample_pictures",
]  # fmt: skip
