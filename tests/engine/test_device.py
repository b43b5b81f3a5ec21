"""No tensor is left on the wrong device: all that runs networks, on a GPU that torch only pretends to have.

torch's FakeTensorMode gives tensors a shape and a device, but no numbers; what comes back to NumPy here is zeros. So
this tells nothing of what networks say on a GPU, only that they are given all of it there.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from g4g.aligner import embed_lips_at, embed_sound_around
from g4g.audio import SpeechStream, encode_speech
from g4g.avatar import Learnt
from g4g.config import CropConfig
from g4g.fusion import Fusion
from g4g.motion import move_mouth
from g4g.options import TINY_LIVE_WEIGHTS, TINY_WEIGHTS
from g4g.painter import Canvas, Painter
from g4g.zoo import load

ROWS = 40
FACE = np.random.default_rng(0).uniform(0, CropConfig().size, (504, 2)).astype(np.float32)


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices, as GPUs do; single numbers and copies are let pass."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and x.dim()]
        if len({x.device.type for x in tensors}) > 1 and func is not torch.ops.aten.copy_.default:
            raise RuntimeError(f"{func} takes tensors on two devices")
        return func(*args, **kwargs)


def to_numpy(tensor):
    """Stand in for `Tensor.numpy` where there are no numbers: zeros, from the CPU only."""
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert a tensor on {tensor.device} to numpy; use .cpu() first")
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a GPU, until the test ends; returns tiny networks by name, which are there already."""
    monkeypatch.setattr(FakeTensor, "numpy", to_numpy, raising=False)
    monkeypatch.setattr(Fusion, "is_plain", False)  # it looks at numbers
    known = {name: load(name) for name in (TINY_WEIGHTS, TINY_LIVE_WEIGHTS)}
    with FakeTensorMode(allow_non_fake_inputs=True), OneDevice():
        for models in known.values():
            for network in models.parts().values():
                network.to("cuda")
        yield known


def make_canvas(frames, rows, columns):
    size = CropConfig().size
    points = np.broadcast_to(FACE, (frames, *FACE.shape))
    return Canvas(
        np.zeros((frames, size, size, 3), np.uint8), points, points + 1,
        np.zeros((frames, 3, size, size, 3), np.uint8), np.stack([points] * 3, 1),
        np.zeros((frames, rows, columns), np.float32),
    )  # fmt: skip


def paint(models, device):
    config = models.generator.config
    painter = Painter(models.generator, models.fusion, device)
    return painter.paint(make_canvas(2, config.speech_rows, config.speech))


@pytest.mark.parametrize("name", [TINY_WEIGHTS, TINY_LIVE_WEIGHTS])
def test_speech_is_encoded(gpu, name):
    encoder = gpu[name].speech
    assert encode_speech(encoder, np.ones(16_000, np.float32)).shape == (50, encoder.config.size)


def test_speech_is_encoded_as_it_comes(gpu):
    encoder = gpu[TINY_LIVE_WEIGHTS].speech
    stream = SpeechStream(encoder)
    rows = [stream.fork().push(np.ones(8_000, np.float32)), stream.push(np.ones(8_000, np.float32))]
    assert len(rows[0]) == len(rows[1]) > 0 and rows[0].shape[1] == encoder.config.size


def test_mouths_are_moved(gpu):
    motion = gpu[TINY_WEIGHTS].motion
    shapes, closed = move_mouth(motion, np.ones((ROWS, motion.config.speech), np.float32), np.arange(10) / 25)
    assert shapes.shape == (10, motion.config.components) and closed.shape == (10,)
    assert motion.space.components.shape == motion.components.shape


def test_lips_and_sound_are_compared(gpu):
    aligner = gpu[TINY_WEIGHTS].aligner
    moments_s = np.arange(5) / 25
    eye = embed_lips_at(aligner, np.ones((20, 40, 2), np.float32), np.arange(20) / 25, moments_s)
    sound, known = embed_sound_around(aligner, np.ones((ROWS, 16), np.float32), moments_s)
    assert len(eye) == 5 and len(sound) == len(known) and eye.device.type == sound.device.type == "cpu"


@pytest.mark.parametrize("is_plain", [False, True])
def test_frames_are_painted(gpu, monkeypatch, is_plain):
    monkeypatch.setattr(Fusion, "is_plain", is_plain)
    painted = paint(gpu[TINY_WEIGHTS], "cuda")
    assert len(painted) == 2 and painted.taken.shape == (2, CropConfig().size, CropConfig().size)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer")  # copy.deepcopy does
def test_what_was_learnt_of_a_person_stays_there(gpu):
    base = gpu[TINY_WEIGHTS]
    learnt = Learnt.of(base, replace(base, generator=gpu[TINY_LIVE_WEIGHTS].generator), 1.0, "")
    taught = learnt.teach(base)
    assert learnt.tensors and taught.generator is not base.generator
    assert {parameter.device.type for parameter in taught.generator.parameters()} == {"cuda"}
    assert len(paint(taught, "cuda")) == 2


def test_a_tensor_that_is_left_on_the_cpu_is_found(gpu):
    models = gpu[TINY_WEIGHTS]
    with pytest.raises(RuntimeError, match="two"):
        paint(models, "cpu")
    with pytest.raises(RuntimeError, match="two"):
        models.motion(torch.zeros(1, ROWS, models.motion.config.speech))
    with pytest.raises(TypeError, match="use .cpu"):
        models.motion.components.numpy()
