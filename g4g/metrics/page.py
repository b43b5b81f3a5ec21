"""The report: one HTML page that carries its figures, plots, sheets and clips, and needs no network."""

from __future__ import annotations

import base64
import os
import platform
import sys
from pathlib import Path

import torch

from g4g import __version__
from g4g.checkpoints import find_weights, hash_file
from g4g.checkpoints.atomic import write_whole
from g4g.metrics.clip import ClipScores
from g4g.metrics.evaluate import Evaluation, write_json
from g4g.metrics.plots import draw_comparison, plot_distances, plot_offsets, plot_openings
from g4g.metrics.tables import clip_figures, clip_table, escape, summary_table
from g4g.metrics.verdict import reach_verdict

MAX_CLIP_BYTES = 8 * 1024 * 1024
"""A larger video is named in the page, not carried."""

_MAX_DETAILED = 20
"""So many clips get plots, a sheet and the video itself; all are in the table."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem }
h1 { line-height: 1.2 } h2 { margin-top: 2.5rem } h3 { margin-bottom: .3rem; overflow-wrap: anywhere }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; width: 100% }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere } td.failed { text-align: left }
small { display: block; font-weight: normal; opacity: .75; font-size: .78rem }
tr:hover td { background: var(--soft) } .failed { color: #b91c1c }
.verdict { border: 1px solid var(--line); border-radius: 8px; padding: 0 1rem .5rem; background: var(--soft) }
.headline { font-size: 1.2rem; font-weight: 600 } summary { cursor: pointer }
@media (max-width: 40rem) { table { font-size: .75rem } th, td { padding: .25rem .2rem } small { font-size: .65rem }
  table.clips th { overflow-wrap: anywhere } }
svg, img, video { max-width: 100%; height: auto } svg { background: #fff; border-radius: 6px }
code, pre { font-size: .85rem; overflow-wrap: anywhere; white-space: pre-wrap }
@media print { body { max-width: none } section { break-inside: avoid } video { display: none } }
"""


def write_page(folder: str | Path, evaluation: Evaluation, command: str = "") -> Path:
    """Write index.html and figures.json of an evaluation.

    Args:
        folder: made when missing.
        evaluation: what `evaluate` returned.
        command: how it was made; shown in the page.
    Returns:
        The page.
    Raises:
        MediaError: a video that was measured cannot be read any more.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "figures.json", evaluation)
    measured = [clip for clip in evaluation.clips if not clip.error]
    scored = [clip for clip in measured if any("offset_frames" in row for row in clip.rows.values())]
    parts = [
        f"<h1>{len(evaluation.clips)} dub{'' if len(evaluation.clips) == 1 else 's'} measured</h1>",
        _describe_verdict(evaluation), _describe_failures(evaluation),
        "<h2>Summary</h2>", summary_table(evaluation),
        *(["<h2>Offsets</h2>", plot_offsets(scored)] if scored else []),
        "<h2>Clip by clip</h2>", clip_table(evaluation),
        *(_clip_section(clip) for clip in measured[:_MAX_DETAILED]),
        "<h2>How this was made</h2>", _describe_run(evaluation, command),
    ]  # fmt: skip
    page = folder / "index.html"
    head = "<meta charset=utf-8><meta name=viewport content='width=device-width'><title>g4g report</title>"
    head += f"<style>{_STYLE}</style>"
    text = f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"
    write_whole(page, text.encode())
    return page


def _describe_verdict(evaluation: Evaluation) -> str:
    verdict = reach_verdict(evaluation)
    groups = (("Good", verdict.good), ("Not good", verdict.bad), ("How sure this is", verdict.unsure))
    lists = "".join(
        f"<h3>{title}</h3><ul>{''.join(f'<li>{escape(words)}</li>' for words in group)}</ul>"
        for title, group in groups
        if group
    )
    return f"<section class=verdict><p class=headline>{escape(verdict.headline)}</p>{lists}</section>"


def _describe_failures(evaluation: Evaluation) -> str:
    failed = [clip for clip in evaluation.clips if clip.error]
    if not failed:
        return ""
    items = "".join(f"<li><b>{escape(Path(c.output).name)}</b>: {escape(c.error)}</li>" for c in failed)
    return f"<p class=failed>{len(failed)} failed; each counts as out of sync.</p><ul>{items}</ul>"


def _clip_section(clip: ClipScores) -> str:
    sheet = base64.b64encode(draw_comparison(clip)).decode()
    return (
        f"<section><h3>{escape(Path(clip.output).name)}</h3>{_embed_video(Path(clip.output))}"
        f"<p>Source, dub, their mouths, and the mouths' difference times four:</p>"
        f"<img alt='contact sheet' src='data:image/png;base64,{sheet}'>"
        f"{plot_openings(clip)}{plot_distances(clip) if clip.distances else ''}"
        f"<details><summary>All figures of this clip</summary>{clip_figures(clip)}</details></section>"
    )


def _embed_video(path: Path) -> str:
    if path.stat().st_size > MAX_CLIP_BYTES:
        return f"<p>{escape(str(path))} is too large to carry here.</p>"
    kind = "webm" if path.suffix.lower() == ".webm" else "mp4"
    data = base64.b64encode(path.read_bytes()).decode()
    return f"<video controls preload=metadata src='data:video/{kind};base64,{data}'></video>"


def _describe_run(evaluation: Evaluation, command: str) -> str:
    judge = find_weights(evaluation.judge)
    facts = {
        "command": command or "called from Python",
        "judge": f"{evaluation.judge}, sha256 {hash_file(judge)}",
        "g4g": __version__,
        "Python, torch": f"{sys.version.split()[0]}, {torch.__version__}",
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
    }
    return "<pre>" + "\n".join(f"{name}: {escape(value)}" for name, value in facts.items()) + "</pre>"
