"""The page: what stands where, and which button does what."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported: it would call home

import gradio as gr  # noqa: E402

from g4g.errors import G4GError  # noqa: E402
from g4g.options import ServeOptions  # noqa: E402
from g4g.serve.speech import SPOKEN, has_espeak  # noqa: E402
from g4g.serve.studio import Dubbed, Studio  # noqa: E402

T = TypeVar("T")
CONSENT = (
    "I may use this picture and this voice, the person shown agrees, and I will not pass the result off as a "
    "recording. The result says in its file that it was made by a machine."
)
_ENDINGS = ["video", "image", ".avatar"]
_SHOW = (
    "<div class='g4g-pair'><figure>{source}<figcaption>source</figcaption></figure>"
    "<figure>{dub}<figcaption>dubbed</figcaption></figure></div>"
)
_ONE_CLOCK = "var s=this.closest('.g4g-pair').querySelector('video.source'); if(s&&s.duration)"
_DUB = (
    "<video class='dub' controls playsinline src='gradio_api/file={path}' "
    f'onplay="{_ONE_CLOCK}{{{{s.currentTime=this.currentTime%s.duration;s.play()}}}}" '
    f'onpause="{_ONE_CLOCK}s.pause()" onseeked="{_ONE_CLOCK}s.currentTime=this.currentTime%s.duration"></video>'
)
STYLE = """
.g4g-pair {display: flex; flex-wrap: wrap; gap: 12px}
.g4g-pair figure {flex: 1 1 280px; margin: 0}
.g4g-pair video, .g4g-pair img {width: 100%; border-radius: 8px; background: #000}
.g4g-pair figcaption {font-size: 0.85em; opacity: 0.7; padding-top: 4px}
"""


def build_page(studio: Studio, limits: ServeOptions) -> gr.Blocks:
    """Build the page over a studio; nothing runs yet."""
    with gr.Blocks(analytics_enabled=False, title="g4g", delete_cache=(600, 3600)) as page:
        visit, face = gr.State(None), gr.State(None)
        gr.Markdown(
            "# g4g\nA video of a person and a new sound in, the same video with lips that say it out. Up to "
            f"{limits.max_mb} MB and {limits.max_minutes:g} minutes; nothing leaves the computer that runs it."
        )
        with gr.Row():
            with gr.Column(min_width=300):
                video = gr.File(label="Video, portrait or prepared avatar", file_types=_ENDINGS, elem_id="video")
                sound = gr.Audio(
                    label="New sound: a file or the microphone", sources=["upload", "microphone"], type="filepath",
                    buttons=["download"], elem_id="sound",
                )  # fmt: skip
                text, language, spoken = _add_text()
                look = gr.Button("Show the faces", elem_id="look")
                faces = gr.Gallery(
                    label="Who is dubbed: click a face, or none for whoever speaks", columns=4, height=160,
                    interactive=False, allow_preview=False, elem_id="faces",
                )  # fmt: skip
                chosen = gr.Markdown("Whoever speaks is dubbed.", elem_id="chosen")
                consent = gr.Checkbox(label=CONSENT, value=False, elem_id="consent")
                with gr.Row():
                    first = gr.Button("Try one frame", elem_id="first")
                    dub = gr.Button("Dub", variant="primary", elem_id="dub")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
            with gr.Column(min_width=300):
                status = gr.Markdown("", elem_id="status")
                frame = gr.Image(label="Source and dubbed frame", interactive=False, elem_id="frame", buttons=[])
                result = gr.HTML("", elem_id="result")
                words = gr.Textbox(label="Report", lines=3, interactive=False, elem_id="words")
                sheet = gr.Image(label="Contact sheet", interactive=False, elem_id="sheet", buttons=[])
                download = gr.DownloadButton("Download", interactive=False, elem_id="download")
        inputs = [visit, video, sound, face, consent]
        work = {"concurrency_limit": 1, "concurrency_id": "work", "api_visibility": "private"}
        aside = {"queue": False, "api_visibility": "private"}
        opened, closed = _visits(studio)
        page.load(opened, None, visit, **aside)
        page.unload(closed)
        video.change(lambda: (None, [], "Whoever speaks is dubbed."), None, [face, faces, chosen], **aside)
        spoken.click(_speak(studio), [visit, text, language], sound, concurrency_limit=4, api_visibility="private")
        faces.select(_choose, None, [face, chosen], **aside)
        jobs = [
            look.click(_list_faces(studio), [visit, video], [faces, status], **work),
            first.click(_try_frame(studio), inputs, [frame, status], **work),
            dub.click(_dub(studio), inputs, [result, words, sheet, download, status], **work),
        ]
        stop.click(_stop(studio), visit, status, cancels=jobs, **aside)
    return page.queue(max_size=limits.max_waiting)


def _add_text() -> tuple[gr.Textbox, gr.Dropdown, gr.Button]:
    """Add what a text is written and spoken with; hidden where no voice is installed."""
    can_speak = has_espeak()
    if not can_speak:
        gr.Markdown("*To write a text instead, install a voice: `pip install 'g4g[speech]'`.*")
    text = gr.Textbox(label="Or a text for a synthetic voice", lines=2, visible=can_speak, elem_id="text")
    with gr.Row(visible=can_speak, equal_height=True):
        language = gr.Dropdown(list(SPOKEN), value="English", show_label=False, min_width=140, elem_id="language")
        spoken = gr.Button("Speak it", min_width=100, elem_id="speak")
    return text, language, spoken


def _visits(studio: Studio) -> tuple[Callable, Callable]:
    """Make what is called when a tab opens and when it is closed."""
    names: dict[str, str] = {}

    def opened(request: gr.Request) -> str:
        names[request.session_hash] = studio.open_visit()
        return names[request.session_hash]

    def closed(request: gr.Request) -> None:
        studio.close_visit(names.pop(request.session_hash, ""))

    return opened, closed


def _choose(event: gr.SelectData) -> tuple[int, str]:
    return event.index, f"Face {event.index} is dubbed."


def _stop(studio: Studio) -> Callable:
    def run(visit: str) -> str:
        studio.stop(visit)
        return "Stopped."

    return run


def _speak(studio: Studio) -> Callable:
    def run(visit: str, text: str | None, language: str) -> str:
        return str(_in_words(studio.speak, visit, text, language))

    return run


def _list_faces(studio: Studio) -> Callable:
    def run(visit: str, video: str | None, progress=gr.Progress()) -> tuple:  # noqa: B008 - how gradio wants it
        found = _in_words(studio.list_faces, visit, video, _teller(progress))
        return [(str(picture), line) for picture, line in found], f"{len(found)} found." if found else "No face found."

    return run


def _try_frame(studio: Studio) -> Callable:
    def run(visit: str, video, sound, face, consent: bool, progress=gr.Progress()) -> tuple:  # noqa: B008
        _need(consent)
        return str(_in_words(studio.try_frame, visit, video, sound, face, _teller(progress))), "One frame is made."

    return run


def _dub(studio: Studio) -> Callable:
    def run(visit: str, video, sound, face, consent: bool, progress=gr.Progress()) -> tuple:  # noqa: B008
        _need(consent)
        made = _in_words(studio.dub, visit, video, sound, face, _teller(progress))
        ready = gr.DownloadButton(value=str(made.video), interactive=True)
        return _show(made), made.words, str(made.sheet), ready, "Done."

    return run


def _need(consent: bool) -> None:
    if not consent:
        raise gr.Error("Tick the box first: a dub needs the consent of the person shown.", print_exception=False)


def _in_words(work: Callable[..., T], *arguments: object) -> T:
    """Do some work; its errors are shown in a box, without the folders of this computer."""
    try:
        return work(*arguments)
    except G4GError as error:
        message = str(error)
        for given in arguments:
            if isinstance(given, str) and os.path.isabs(given):
                message = message.replace(given, Path(given).name)
        raise gr.Error(html.escape(message), print_exception=False) from error


def _teller(progress: gr.Progress) -> Callable[[float, str], None]:
    return lambda share, words: progress(share, desc=words)


def _show(made: Dubbed) -> str:
    """Source and dub beside each other; the source follows the dub's clock."""
    if made.source is None:
        source = "the avatar's video"
    elif made.source.suffix == ".png":
        source = f"<img src='gradio_api/file={made.source}' alt='source'>"
    else:
        source = f"<video class='source' muted playsinline loop src='gradio_api/file={made.source}'></video>"
    return _SHOW.format(source=source, dub=_DUB.format(path=made.video))
