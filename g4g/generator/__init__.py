"""The generator: deforms references of the same person until the lips say the sound."""

from g4g.generator.discriminator import Discriminator, adversarial_loss, discriminator_loss
from g4g.generator.loss import edge_weights, pyramid, reconstruction_loss
from g4g.generator.model import (
    OVERSAMPLING,
    Generated,
    Generator,
    GeneratorConfig,
    hide_lower_half,
    reduce_pictures,
    to_tensor,
)
from g4g.generator.references import Gallery, add_gallery, choose_references, follow_pose, make_gallery
from g4g.generator.trial import try_references

__all__ = [
    "OVERSAMPLING", "Discriminator", "Gallery", "Generated", "Generator", "GeneratorConfig", "add_gallery",
    "adversarial_loss", "choose_references", "discriminator_loss", "edge_weights", "follow_pose", "hide_lower_half",
    "make_gallery", "pyramid", "reconstruction_loss", "reduce_pictures", "to_tensor", "try_references",
]  # fmt: skip
