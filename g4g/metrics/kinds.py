"""What the figures of a clip mean, and beside whose they stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureKind:
    """What a figure means: its unit, which way is better ("up", "down", or "one" for the nearer to 1), in words."""

    unit: str
    better: str
    meaning: str


KINDS = {
    "lse_d": FigureKind("", "down", "judge: distance of lips and sound at the best shift"),
    "lse_c": FigureKind("", "up", "judge: how much the best shift stands out"),
    "offset_frames": FigureKind("frames of 1/25 s", "zero", "judge: > 0: the matching sound lies earlier"),
    "syncnet_lse_d": FigureKind("", "down", "official SyncNet, another scale: never compare with the judge"),
    "syncnet_lse_c": FigureKind("", "up", "official SyncNet, same"),
    "syncnet_offset_frames": FigureKind("frames of 1/25 s", "zero", "official SyncNet, same"),
    "mouth_psnr": FigureKind("dB", "up", "mouth box against the real clip, errors pooled over frames"),
    "crop_psnr": FigureKind("dB", "up", "face crop, same"),
    "frame_psnr": FigureKind("dB", "up", "whole frame, same"),
    "mouth_ssim": FigureKind("", "up", "mouth box against the real clip"),
    "crop_ssim": FigureKind("", "up", "face crop, same"),
    "frame_ssim": FigureKind("", "up", "whole frame, same"),
    "lpips": FigureKind("", "down", "face crop against the real clip, by a network that learnt people's judgement"),
    "fid": FigureKind("", "down", "distance of all dubbed face crops from the real ones; too high with few frames"),
    "sharpness": FigureKind("ratio", "one", "fine detail of the mouth box over the source's; lower = blurred"),
    "seam": FigureKind("grey levels per px", "down", "gradient across the mask's edge beyond the source's"),
    "colour_step": FigureKind("grey levels", "down", "colour just inside the mask's edge against the source's"),
    "edge_gradient": FigureKind("grey levels per px", "", "gradient across the mask's edge; a seam adds to it"),
    "edge_step": FigureKind("grey levels", "", "colour just inside the mask's edge against just outside"),
    "mouth_distance": FigureKind("eyes' distances", "down", "mouth landmarks from the real clip's"),
    "opening_correlation": FigureKind("", "up", "mouth opening against the real clip's, frame by frame"),
    "articulation": FigureKind("ratio", "one", "range of the mouth opening over the source's"),
    "closures": FigureKind("share", "up", "the source's closures in speech at which the dub closes too"),
    "jitter": FigureKind("ratio", "one", "acceleration of jaw and mouth over the source's, the head held still"),
    "open_share": FigureKind("share", "", "frames with an open mouth; on digital silence it should be 0"),
    "phoneme_closed_share": FigureKind("share", "up", "p, b, m of known times at which the inner lips meet"),
    "phoneme_closed_chance": FigureKind("share", "", "the same for lips that move as far at other times"),
    "phoneme_closure_auc": FigureKind("", "up", "smallest gap at p, b, m below the largest at open vowels"),
    "phoneme_closure_auc_chance": FigureKind("", "", "the same for lips that move as far at other times"),
    "phoneme_middle_auc": FigureKind("", "up", "mean gap at p, b, m below that at open vowels; chance is 0.5"),
    "phoneme_open_gap": FigureKind("eye corners' distances", "", "largest gap of the inner lips at open vowels, mean"),
    "phoneme_labiodental_auc": FigureKind("", "up", "lower lip nearer to the teeth at f, v than at vowels; chance 0.5"),
    "phoneme_rounding_auc": FigureKind("", "up", "mouth narrower at rounded than at other vowels; chance 0.5"),
    "phoneme_lag_frames": FigureKind("frames of 1/25 s", "zero", "> 0: the lips come after the known sounds"),
    "identity": FigureKind("", "up", "cosine of face embeddings, each frame against the source's same frame"),
    "scored_share": FigureKind("share", "up", "frames with a face in source and dub; the others count in no figure"),
}
"""Every figure that a clip can have."""

ROWS = {
    "dubbed": "the dub",
    "real": "the source with its own sound",
    "undubbed": "the source's picture with the dub's sound",
    "copied": "the source's most closed mouth in every frame",
}
"""Whose figures stand beside each other."""
