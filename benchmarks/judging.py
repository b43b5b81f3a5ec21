"""Points 3 and 4: what `g4g evaluate` found, as figures beside their goals."""

from __future__ import annotations

import numpy as np
from dubs import Dubbed

from g4g.metrics.evaluate import Evaluation
from g4g.metrics.report import Figure

_CHANCE = 3 / 31
"""Offsets of -1, 0 and 1 among 31."""
_DUBS = ("paired dubs", "unpaired dubs")
_IN_SYNC = {"s1": 1.0, "unseen": 0.98}
"""Share of dubs within one frame that each group should reach."""
_LSE_C_SHARE = 0.95, 1.05
"""More than real is over-acting."""
_SILENCE_SHARE = 1 / 3
_OPEN_SHARE = 0.05
_EDGE_SHARE = 1.1
_BESIDE = {
    "mouth_psnr": ("mouth PSNR of the file, dB", None, ">="),
    "sharpness": ("sharpness of the mouth over the source's", (0.85, 1.15), ">="),
    "seam": ("seam, grey levels per px", None, "<="),
    "colour_step": ("colour step, grey levels", None, "<="),
    "articulation": ("articulation (range of the opening over real)", (0.85, 1.15), ">="),
    "opening_correlation": ("opening against the real one, correlation", 0.75, ">="),
    "closures": ("closures of the real mouth that are closed too", None, ">="),
    "mouth_distance": ("mouth landmarks' distance over eyes'", None, "<="),
    "jitter": ("jitter over real", 1.3, "<="),
    "identity": ("identity, cosine", None, ">="),
    "lpips": ("LPIPS", None, "<="),
    "fid": ("FID", None, "<="),
    "scored_share": ("share of frames with a face in both", None, ">="),
}
"""Means of paired dubs: in words, their goal, and on which side of it they should lie."""
_EDGE = {"edge_gradient": "gradient across the mask's edge", "edge_step": "colour step across the mask's edge"}


def report_sync(paired: Evaluation, unpaired: Evaluation | None, group: str) -> list[Figure]:
    """Report sync of real clips, paired and unpaired dubs, and the undubbed video with foreign sound."""
    own = paired.summarise()
    rows = {"real clips": (own["real"], len(paired.clips)), "paired dubs": (own["dubbed"], len(paired.clips))}
    if unpaired is not None:  # one clip alone has no foreign sound
        foreign = unpaired.summarise()
        rows["undubbed, foreign sound"] = foreign["undubbed"], len(unpaired.clips)
        rows["unpaired dubs"] = foreign["dubbed"], len(unpaired.clips)
    figures, real = [], own["real"]["lse_c"]
    for kind, (means, count) in rows.items():
        target = _IN_SYNC.get(group) if kind in _DUBS else None
        wanted = _LSE_C_SHARE if kind in _DUBS and group in _IN_SYNC else None
        share, confidence = means["in_sync"], means["lse_c"]
        figures += [
            Figure("3 sync", group, f"{kind}: offset within 1 frame of 0", share, count, _CHANCE, "chance", target),
            Figure("3 sync", group, f"{kind}: LSE-C (mean)", confidence, count, real, "real"),
            Figure("3 sync", group, f"{kind}: LSE-C over real", confidence / real, count, 1.0, "real", wanted),
            Figure("3 sync", group, f"{kind}: LSE-D (mean)", means["lse_d"], count),
        ]
    return figures


def report_mask(dubbed: list[Dubbed], group: str) -> Figure:
    """Report how many pixels outside the mask differ from the source before encoding."""
    changed, outside = sum(d.outside_changed for d in dubbed), sum(d.outside for d in dubbed)
    name = f"pixels outside the mask that changed, of {outside / 1e6:.1f} million"
    return Figure("4 mask", group, name, changed, sum(len(d.jobs) for d in dubbed), target=0, wish="<=")


def report_silence(silent: Evaluation, group: str) -> list[Figure]:
    """Report how much mouths move with digital silence as sound, against the real clips."""
    clips = [clip for clip in silent.clips if not clip.error]
    still, real = (np.mean([np.std(clip.openings[row]) for clip in clips]) for row in ("dubbed", "real"))
    means = silent.summarise()
    count, point = len(silent.clips), "4 silence"
    return [
        Figure(point, group, "deviation of the mouth opening over the real clips'", float(still / real), count, 1.0,
               "real", _SILENCE_SHARE, "<="),
        Figure(point, group, "share of frames with an open mouth", means["dubbed"]["open_share"], count,
               means["real"]["open_share"], "real", _OPEN_SHARE, "<="),
    ]  # fmt: skip


def report_rest(paired: Evaluation, group: str) -> list[Figure]:
    """Report the other means of paired dubs as `g4g evaluate` gives them, decoded from the file."""
    summary, count = paired.summarise(), len(paired.clips)
    means, real = summary["dubbed"], summary["real"]
    done = [clip for clip in paired.clips if not clip.error]
    opened = [np.std(clip.openings["dubbed"]) / np.std(clip.openings["real"]) for clip in done]
    figures = [
        Figure("beside", group, f"paired: {words}", means[name], count, target=target, wish=wish)
        for name, (words, target, wish) in _BESIDE.items()
        if name in means
    ]
    for name, words in _EDGE.items():
        share, words = means[name] / real[name], f"paired: {words} over real"
        figures.append(Figure("beside", group, words, share, count, 1.0, "real", _EDGE_SHARE, "<="))
    name = "paired: deviation of the mouth opening over real"
    return [*figures, Figure("beside", group, name, float(np.mean(opened)), count, 1.0, "real")]
