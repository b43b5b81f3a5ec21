"""The official SyncNet: layers, features and protocol against an implementation written apart from ours."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from g4g.errors import CheckpointError, ShapeError
from g4g.metrics.syncnet import SyncNet, cut_head, frame_heads, load_syncnet, score_official, speech_mfcc

# (index of the convolution in the public file, stride, padding, pooling after it: kernel, stride, padding).
LIP_LAYERS = (
    (0, (1, 2, 2), 0, ((1, 3, 3), (1, 2, 2), 0)), (4, (1, 2, 2), (0, 1, 1), ((1, 3, 3), (1, 2, 2), (0, 1, 1))),
    (8, 1, (0, 1, 1), None), (11, 1, (0, 1, 1), None), (14, 1, (0, 1, 1), ((1, 3, 3), (1, 2, 2), 0)), (18, 1, 0, None),
)  # fmt: skip
AUDIO_LAYERS = (
    (0, 1, 1, None), (4, 1, 1, ((3, 3), (1, 2), 0)), (8, 1, 1, None), (11, 1, 1, None), (14, 1, 1, ((3, 3), (2, 2), 0)),
    (18, 1, 0, None),
)  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = SyncNet().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    return net


def _norm(x, tensors, name):
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean, variance, weight, bias = (
        tensors[f"{name}.{part}"].view(shape) for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def _written_apart(x, tensors, trunk, head, layers):
    convolve, pool = (F.conv3d, F.max_pool3d) if x.ndim == 5 else (F.conv2d, F.max_pool2d)
    for index, stride, padding, pooling in layers:
        weight, bias = tensors[f"{trunk}.{index}.weight"], tensors[f"{trunk}.{index}.bias"]
        x = _norm(convolve(x, weight, bias, stride, padding), tensors, f"{trunk}.{index + 1}").clamp(min=0)
        x = pool(x, *pooling) if pooling else x
    x = x.flatten(1) @ tensors[f"{head}.0.weight"].T + tensors[f"{head}.0.bias"]
    return _norm(x, tensors, f"{head}.1").clamp(min=0) @ tensors[f"{head}.3.weight"].T + tensors[f"{head}.3.bias"]


@torch.no_grad()
def test_features_are_those_of_the_layers_written_out(network):
    tensors = network.state_dict()
    lips, sound = torch.rand(2, 3, 5, 224, 224) * 255, torch.randn(2, 1, 13, 20) * 10
    expected = _written_apart(lips, tensors, "netcnnlip", "netfclip", LIP_LAYERS)
    torch.testing.assert_close(network.embed_lips(lips), expected, rtol=1e-3, atol=1e-3)
    expected = _written_apart(sound, tensors, "netcnnaud", "netfcaud", AUDIO_LAYERS)
    torch.testing.assert_close(network.embed_audio(sound), expected, rtol=1e-3, atol=1e-3)


def _mfcc_by_loops(waveform):
    """MFCCs with every sum written out."""
    signal = [round(float(x) * 32767) for x in waveform]
    signal = [signal[0]] + [b - 0.97 * a for a, b in zip(signal, signal[1:], strict=False)]
    steps = 1 if len(signal) <= 400 else 1 + math.ceil((len(signal) - 400) / 160)
    signal += [0.0] * (steps * 160 + 400)
    mel = lambda hertz: 2595 * math.log10(1 + hertz / 700)  # noqa: E731
    points = [700 * (10 ** (mel(8000) * i / 27 / 2595) - 1) for i in range(28)]
    edges = [math.floor(513 * hertz / 16000) for hertz in points]
    rows = []
    for step in range(steps):
        part = np.array(signal[step * 160 : step * 160 + 400] + [0.0] * 112)
        turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(512)) / 512)
        power = np.abs(turns @ part) ** 2 / 512
        logs = []
        for j in range(26):
            band = sum((i - edges[j]) / (edges[j + 1] - edges[j]) * power[i] for i in range(edges[j], edges[j + 1]))
            band += sum(
                (edges[j + 2] - i) / (edges[j + 2] - edges[j + 1]) * power[i] for i in range(edges[j + 1], edges[j + 2])
            )
            logs.append(math.log(band or np.finfo(float).eps))
        row = []
        for k in range(13):
            scale = math.sqrt((1 if k == 0 else 2) / 26)
            value = scale * sum(x * math.cos(math.pi * k * (2 * n + 1) / 52) for n, x in enumerate(logs))
            row.append(value * (1 + 11 * math.sin(math.pi * k / 22)))
        rows.append([math.log(power.sum() or np.finfo(float).eps), *row[1:]])
    return np.array(rows)


@pytest.mark.parametrize("count", [3000, 400, 100])
def test_mfccs_are_the_sums_written_out(count):
    waveform = np.random.default_rng(0).normal(0, 0.1, count).clip(-1, 1)
    np.testing.assert_allclose(speech_mfcc(waveform), _mfcc_by_loops(waveform), rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_the_protocol_is_the_official_loop(network):
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (30, 224, 224, 3)).astype(np.uint8)
    waveform = rng.normal(0, 0.1, 30 * 640 + 100).clip(-1, 1)
    score = score_official(network, crops, waveform)
    sound = torch.from_numpy(speech_mfcc(waveform)).float()
    lips, audio = [], []
    for i in range(30 - 5):
        window = torch.from_numpy(crops[i : i + 5, :, :, ::-1].copy()).float().permute(3, 0, 1, 2)
        lips.append(network.embed_lips(window[None])[0])
        audio.append(network.embed_audio(sound[4 * i : 4 * i + 20].T[None, None])[0])
    zero = torch.zeros(1024)
    curve = []
    for shift in range(-15, 16):
        sounds = [audio[i + shift] if 0 <= i + shift < 25 else zero for i in range(25)]
        curve.append(np.mean([float((a - b).norm()) for a, b in zip(lips, sounds, strict=True)]))
    np.testing.assert_allclose(score.distances, curve, rtol=1e-4)
    assert score.offset_frames == 15 - int(np.argmin(curve))
    assert score.lse_c == pytest.approx(np.median(curve) - min(curve), abs=1e-4)


def test_the_public_file_is_read_and_others_are_refused(network, tmp_path):
    path = tmp_path / "syncnet_v2.model"
    torch.save(network.state_dict(), path)
    loaded = load_syncnet(path).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in network.state_dict().items())
    torch.save(network, path)
    with pytest.raises(CheckpointError, match="plain state dict"):
        load_syncnet(path)
    torch.save({"netcnnaud.0.weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="does not hold SyncNet's tensors"):
        load_syncnet(path)
    with pytest.raises(CheckpointError, match="does not exist"):
        load_syncnet(tmp_path / "none")


def test_clips_that_cannot_be_scored_are_refused(network):
    with pytest.raises(ShapeError, match="resize"):
        score_official(network, np.zeros((9, 128, 128, 3), np.uint8), np.zeros(9000))
    with pytest.raises(ShapeError, match="longer clip"):
        score_official(network, np.zeros((5, 224, 224, 3), np.uint8), np.zeros(9000))
    with pytest.raises(ShapeError, match="longer clip"):
        score_official(network, np.zeros((9, 224, 224, 3), np.uint8), np.zeros(640 * 5))
    with pytest.raises(ShapeError, match="mono"):
        speech_mfcc(np.zeros((2, 100)))


def test_a_head_is_cut_lower_than_its_middle_and_grey_beyond_the_frame():
    points = np.full((20, 68, 2), [60.0, 80.0])
    points[:, 0], points[:, 1] = [40, 60], [80, 100]
    centres, halves = frame_heads(points)
    assert centres[10].tolist() == [60, 76] and halves[10] == 24
    frame = np.zeros((120, 120, 3), np.uint8)
    frame[76] = 255
    crop = cut_head(frame, centres[10], halves[10])
    # 24 px above and 43.2 below the middle: the bright row lies at 24 / 67 of the crop.
    assert abs(crop.mean((1, 2)).argmax() - 224 * 24.5 / 67) < 3
    assert (cut_head(frame, np.array([0, 60]), 24.0)[:, :80] == 110).all()
