"""Points 2 to 4: what `g4g evaluate` found, as figures beside their goals."""

from __future__ import annotations

import numpy as np
from dubs import Dubbed

from g4g.metrics.evaluate import Evaluation
from g4g.metrics.report import Figure

_CHANCE = 3 / 31
"""Offsets of -1, 0 and 1 among 31."""
_DUBS = ("own sound", "foreign sound")
_STUDIO = ("s1", "unseen")
"""Groups that have goals of their own."""
_LSE_C_SHARE = {"own sound": (0.95, 1.05), "foreign sound": 0.95}
"""More than real is over-acting."""
_ABOVE_COPY_DB = {"s1": 5.5, "unseen": 4.5}
_OPENING = {"s1": 0.92, "unseen": 0.86, "glasses": 0.6, "moving": 0.6, "actor": 0.6, "s4": 0.6}
_SILENCE_SHARE = 1 / 3
_OPEN_SHARE = 0.05
_MOST_SHARE = 1.1
"""Jitter, and what is measured across the mask's edge, over real."""
_BESIDE = {
    "mouth_psnr": ("mouth PSNR of the file, dB", None, ">="),
    "sharpness": ("sharpness of the mouth over the source's, 128 px", (0.85, 1.15), ">="),
    "seam": ("seam, grey levels per px", None, "<="),
    "colour_step": ("colour step, grey levels", None, "<="),
    "articulation": ("articulation (range of the opening over real)", (0.85, 1.15), ">="),
    "closures": ("closures of the real mouth that are closed too", None, ">="),
    "mouth_distance": ("mouth landmarks' distance over eyes'", None, "<="),
    "jitter": ("jitter over real", _MOST_SHARE, "<="),
    "identity": ("identity, cosine", 0.99, ">="),
    "lpips": ("LPIPS", None, "<="),
    "fid": ("FID", None, "<="),
    "scored_share": ("share of frames with a face in both", None, ">="),
}
"""Means of dubs: in words, their goal, and on which side of it they should lie."""
_EDGE = {"edge_gradient": "gradient across the mask's edge", "edge_step": "colour step across the mask's edge"}


def report_sync(own: Evaluation, foreign: Evaluation | None, group: str) -> list[Figure]:
    """Report sync of real clips, dubs with own and foreign sound, and the undubbed video with foreign sound."""
    means = own.summarise()
    rows = {"real clips": (means["real"], len(own.clips)), "own sound": (means["dubbed"], len(own.clips))}
    if foreign is not None:  # one clip alone has no foreign sound
        others = foreign.summarise()
        rows["undubbed, foreign sound"] = others["undubbed"], len(foreign.clips)
        rows["foreign sound"] = others["dubbed"], len(foreign.clips)
    figures, real = [], means["real"]["lse_c"]
    for kind, (values, count) in rows.items():
        target = 1.0 if kind in _DUBS and group in _STUDIO else None
        wanted = _LSE_C_SHARE.get(kind) if group in _STUDIO else None
        share, confidence = values["in_sync"], values["lse_c"]
        figures += [
            Figure("3 sync", group, f"{kind}: offset within 1 frame of 0", share, count, _CHANCE, "chance", target),
            Figure("3 sync", group, f"{kind}: LSE-C (mean)", confidence, count, real, "real"),
            Figure("3 sync", group, f"{kind}: LSE-C over real", confidence / real, count, 1.0, "real", wanted),
            Figure("3 sync", group, f"{kind}: LSE-D (mean)", values["lse_d"], count),
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


def report_copy(own: Evaluation, group: str) -> list[Figure]:
    """Report how the mouths of dubs with own sound beat the source's most closed mouth, and follow the real ones."""
    summary, count = own.summarise(), len(own.clips)
    made, copied = (summary[row]["mouth_psnr"] for row in ("dubbed", "copied"))
    name, opening = "own sound: mouth PSNR above copying, dB", summary["dubbed"]["opening_correlation"]
    return [
        Figure("2 picture", group, name, made - copied, count, copied, "dB of copying", _ABOVE_COPY_DB.get(group)),
        Figure("2 picture", group, "own sound: opening against the real one, correlation", opening, count,
               target=_OPENING.get(group)),
    ]  # fmt: skip


def report_rest(dubs: Evaluation, group: str, kind: str = "own sound") -> list[Figure]:
    """Report the other means of dubs as `g4g evaluate` gives them, decoded from the file."""
    summary, count = dubs.summarise(), len(dubs.clips)
    means, real = summary["dubbed"], summary["real"]
    done = [clip for clip in dubs.clips if not clip.error]
    opened = [np.std(clip.openings["dubbed"]) / np.std(clip.openings["real"]) for clip in done]
    figures = [
        Figure("beside", group, f"{kind}: {words}", means[name], count, target=target, wish=wish)
        for name, (words, target, wish) in _BESIDE.items()
        if name in means
    ]
    for name, words in _EDGE.items():
        share, words = means[name] / real[name], f"{kind}: {words} over real"
        figures.append(Figure("beside", group, words, share, count, 1.0, "real", _MOST_SHARE, "<="))
    name = f"{kind}: deviation of the mouth opening over real"
    return [*figures, Figure("beside", group, name, float(np.mean(opened)), count, 1.0, "real")]
