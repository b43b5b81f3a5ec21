"""The diagonal-matrix loss and the encoders."""

import numpy as np
import torch

from g4g.aligner import diagonal_loss
from g4g.zoo import load


def test_the_loss_equals_an_independent_computation():
    rng = np.random.default_rng(0)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in rng.normal(size=(2, 6, 4)))
    clip, time = np.array([0, 0, 0, 1, 1, 1]), np.array([3, 4, 9, 3, 5, 6])
    contrast, margins = [], []
    for m, n in ((a, b), (b, a)):
        for i in range(6):
            keep = [j for j in range(6) if j == i or clip[i] != clip[j] or abs(time[i] - time[j]) > 1]
            exps = np.exp([10 * m[i] @ n[j] for j in keep])
            contrast.append(-np.log(exps[keep.index(i)] / exps.sum()))
    for i in range(6):
        far = [j for j in range(6) if clip[i] != clip[j] or abs(time[i] - time[j]) > 1]
        hardest = max(max(a[i] @ b[j], a[j] @ b[i]) for j in far)
        margins.append(max(0.2 + hardest - a[i] @ b[i], 0))
    got = diagonal_loss(*(torch.tensor(x) for x in (a, b, clip, time)), 10.0)
    np.testing.assert_allclose([x.item() for x in got], [np.mean(contrast), np.mean(margins)], rtol=1e-5)


def test_a_neighbouring_frame_is_neither_pulled_nor_pushed():
    rows = torch.eye(3)
    columns = torch.stack([rows[0], rows[0], rows[2]])
    clip = torch.zeros(3, dtype=torch.long)
    near = diagonal_loss(rows, columns, clip, torch.tensor([0, 1, 9]), 50.0)[1]
    far = diagonal_loss(rows, columns, clip, torch.tensor([0, 5, 9]), 50.0)[1]
    assert near < far


def test_embeddings_are_unit_rows():
    aligner = load("g4g-tiny").aligner
    for rows in (
        aligner.embed_audio(torch.randn(3, 15, 16)),
        aligner.embed_lips(torch.randn(3, 15, 56, 64)),
        aligner.embed_geometry(torch.randn(3, 9, 40, 2)),
    ):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(3))
