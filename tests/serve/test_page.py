"""The page in Debian's Chromium, without a screen: upload, dub, play; stop; two visitors; a bad file; no fetches."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from g4g.options import LoadOptions, ServeOptions
from g4g.provenance import INTACT, inspect
from g4g.serve.speech import has_espeak

pytest.importorskip("gradio", reason="needs the extra serve: pip install g4g[serve]")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium"),
]
WAIT_MS = 180_000


@pytest.fixture(scope="module")
def address():
    """A server with the tiny networks on a free port, and the folder of all that it keeps."""
    import gradio

    from g4g.serve.server import serve

    os.environ["G4G_CACHE"] = ""
    limits = ServeOptions(port=7931, max_mb=5, max_minutes=0.5)
    page, folder = serve(LoadOptions(weights="g4g-tiny"), limits, wait=False)
    assert not gradio.analytics.analytics_enabled()
    yield "http://127.0.0.1:7931", Path(folder.name)
    page.close()
    folder.cleanup()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def tab(browser, address):
    """The page, freshly loaded; a request to anywhere else fails the test."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address[0])
    page.wait_for_selector("#dub", timeout=WAIT_MS)
    yield page
    page.close()
    assert all(re.match(r"(http|ws)://127\.0\.0\.1:7931/|data:|blob:", url) for url in asked), asked


@pytest.fixture(scope="module")
def short(tmp_path_factory, ffmpeg, voice_file) -> Path:
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    ffmpeg("-i", voice_file, "-t", 0.4, path)
    return path


def give(tab, video: Path, sound: Path) -> None:
    tab.set_input_files("#video input[type=file]", str(video))
    tab.set_input_files("#sound input[type=file]", str(sound))
    tab.wait_for_selector("#sound .waveform-container, #sound audio", state="attached", timeout=WAIT_MS)
    tab.wait_for_function("document.querySelector('#video').innerText.includes('B')", timeout=WAIT_MS)


def wait_for(tab, selector: str, words: str) -> None:
    tab.wait_for_function(
        "([what, words]) => [...document.querySelectorAll(what)].some(x => (x.value || x.innerText).includes(words))",
        arg=[selector, words], timeout=WAIT_MS,
    )  # fmt: skip


def test_upload_choose_dub_play_download(tab, portrait_file, short, tmp_path):
    give(tab, portrait_file, short)
    tab.click("#dub")
    wait_for(tab, "body", "Tick the box first")
    tab.click("#look")
    wait_for(tab, "#status", "1 found.")
    tab.click("#faces button.thumbnail-item, #faces .thumbnail-item, #faces img")
    wait_for(tab, "#chosen", "Face 0 is dubbed.")
    tab.check("#consent input")
    tab.click("#dub")
    wait_for(tab, "#words textarea", "10 of 10 frames dubbed")
    wait_for(tab, "#words textarea", "provenance: C2PA manifest in the file")
    tab.wait_for_selector("#result video.dub", timeout=WAIT_MS)
    played = "(async () => {const v = document.querySelector('video.dub'); v.muted = true; await v.play(); "
    played += "await new Promise(r => setTimeout(r, 250)); return [v.currentTime, v.videoWidth]})()"
    time_s, width = tab.evaluate(played)
    assert time_s > 0.05 and width == 512
    with tab.expect_download(timeout=WAIT_MS) as loaded:
        tab.click("#download")
    loaded.value.save_as(tmp_path / "dub.mp4")
    assert inspect(tmp_path / "dub.mp4").state == INTACT


def test_what_was_made_goes_when_the_tab_is_closed(browser, address, portrait_file):
    visits = address[1] / "visits"
    before = set(visits.iterdir())
    page = browser.new_page()
    page.goto(address[0])
    page.set_input_files("#video input[type=file]", str(portrait_file))
    page.wait_for_function("document.querySelector('#video').innerText.includes('B')", timeout=WAIT_MS)
    page.click("#look")
    wait_for(page, "#status", "1 found.")
    (visit,) = set(visits.iterdir()) - before
    assert list(visit.rglob("face0.png"))
    page.close()
    deadline = time.monotonic() + 120
    while visit.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not visit.exists()


def test_stop_ends_the_job_and_the_next_one_works(tab, portrait_file, voice_file, short):
    give(tab, portrait_file, voice_file)
    tab.check("#consent input")
    tab.click("#dub")
    wait_for(tab, "body", "dubbing: ")
    tab.click("#stop")
    wait_for(tab, "#status", "Stopped.")
    assert not tab.query_selector("#result video")
    tab.click("#first")
    wait_for(tab, "#status", "One frame is made.")


def test_two_visitors_wait_for_each_other_and_see_only_their_own(browser, address, portrait_file, voice_file, short):
    first, second = (browser.new_context().new_page() for _ in range(2))
    for page, sound in ((first, voice_file), (second, short)):
        page.goto(address[0])
        page.wait_for_selector("#dub", timeout=WAIT_MS)
        give(page, portrait_file, sound)
        page.check("#consent input")
    first.click("#dub")
    wait_for(first, "body", "dubbing: ")
    second.click("#dub")
    wait_for(second, "body", "queue: 1/1")
    wait_for(second, "#words textarea", "10 of 10 frames dubbed")
    wait_for(first, "#words textarea", "117 of 117 frames dubbed")
    shown = [page.get_attribute("#result video.dub", "src") for page in (first, second)]
    assert len({Path(video).parent.parent for video in shown}) == 2
    assert all(shown[other] not in page.content() for page, other in ((first, 1), (second, 0)))
    first.context.close()
    second.context.close()


@pytest.mark.skipif(not has_espeak(), reason="needs espeak-ng: pip install g4g[speech]")
def test_a_written_text_is_spoken_and_dubbed(tab, portrait_file):
    tab.set_input_files("#video input[type=file]", str(portrait_file))
    tab.click("#speak")
    wait_for(tab, "body", "write the text first that is to be spoken")
    tab.fill("#text textarea", "Hi.")
    tab.click("#speak")
    tab.wait_for_selector("#sound .waveform-container, #sound audio", state="attached", timeout=WAIT_MS)
    tab.check("#consent input")
    tab.click("#first")
    wait_for(tab, "#status", "One frame is made.")


def test_a_bad_file_is_told_without_folders_of_the_computer(tab, address, short, tmp_path):
    (tmp_path / "bad.mp4").write_text("not a video")
    give(tab, tmp_path / "bad.mp4", short)
    tab.check("#consent input")
    tab.click("#dub")
    wait_for(tab, "body", "bad.mp4 cannot be read as video")
    assert str(address[1]) not in tab.inner_text("body")
