"""The live page in Debian's Chromium, without a screen: a fake microphone plays a file, the answer is watched."""

from __future__ import annotations

import re
import shutil
import time
import wave
from pathlib import Path

import numpy as np
import pytest

import g4g
from g4g.options import LoadOptions, ServeOptions
from g4g.zoo import save_models

pytest.importorskip("aiortc", reason="needs the extra live: pip install g4g[live]")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium"),
]
PORT = 7932
TURN_S, BEEP_S = 2.0, 0.5
"""The microphone is silent but for a beep at the beginning of each turn."""

WATCH = """async () => {
  const picture = document.getElementById("picture"), canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const draw = canvas.getContext("2d", {willReadFrequently: true});
  const seen = [], heard = [], spoken = [];
  const context = new AudioContext();
  const listen = (stream, into) => {
    const ear = context.createAnalyser(), samples = new Float32Array(ear.fftSize = 512);
    context.createMediaStreamSource(stream).connect(ear);
    setInterval(() => {ear.getFloatTimeDomainData(samples);
      into.push([performance.now(), Math.max(...samples.map(Math.abs))])}, 5);
  };
  listen(picture.srcObject, heard);
  listen(source.stream, spoken);
  const look = (now, told) => {
    draw.drawImage(picture, 0, 0, 64, 64);
    const lower = draw.getImageData(0, 16, 64, 48).data;
    seen.push([performance.now(), Array.from(lower.filter((_, i) => i % 4 == 1))]);
    picture.requestVideoFrameCallback(look);
  };
  picture.requestVideoFrameCallback(look);
  const began = performance.now();
  await new Promise(done => setTimeout(done, 9000));
  const stats = [...(await peer.getStats()).values()].find(x => x.type === "inbound-rtp" && x.kind === "video");
  return {seen, heard, spoken, stats, seconds: (performance.now() - began) / 1000};
}"""


@pytest.fixture(scope="module")
def microphone(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("microphone") / "beeps.wav"
    rate = 48_000
    beep = np.sin(2 * np.pi * 330 * np.arange(round(BEEP_S * rate)) / rate) * 16_000
    turn = np.concatenate([beep, np.zeros(round((TURN_S - BEEP_S) * rate))]).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.tile(turn, 30).tobytes())
    return path


@pytest.fixture(scope="module")
def server(portrait_file, tmp_path_factory):
    from g4g.serve.server import serve

    folder = tmp_path_factory.mktemp("avatar")
    weights, avatar = folder / "loud.safetensors", folder / "ann.avatar"
    models = g4g.load("g4g-tiny-live")
    models.motion.shape.weight.mul_(6)  # a mouth that the browser's codec does not lose
    save_models(weights, models)
    g4g.Dubber.from_pretrained(weights).make_avatar(portrait_file, avatar)
    live = serve(LoadOptions(weights=weights), ServeOptions(port=PORT, live=avatar), wait=False)
    yield f"http://127.0.0.1:{PORT}"
    live.close()


@pytest.fixture
def tab(server, microphone):
    """The page; a request to anywhere else fails the test."""
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags += [f"--use-file-for-fake-audio-capture={microphone}", "--autoplay-policy=no-user-gesture-required"]
    asked = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(bypass_csp=True)  # or the test could not ask it anything
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server)
        yield page
        browser.close()
    assert all(re.match(rf"http://127\.0\.0\.1:{PORT}/", url) for url in asked), asked


def connect(page) -> None:
    """Speak, as soon as whoever was there before is gone."""
    until = time.monotonic() + 60
    while page.text_content("#told") != "Speak.":
        assert time.monotonic() < until, page.text_content("#told")
        page.click("#talk")
        page.wait_for_function("!['', 'Opening ...'].includes(told.textContent)", timeout=30_000)
        time.sleep(0.5)
    page.wait_for_function("picture.videoWidth > 0", timeout=30_000)


def find_starts(times_ms, values, least) -> np.ndarray:
    """When a value rises above `least` after it was below it for half a second."""
    loud = times_ms[values > least]
    return loud[np.diff(loud, prepend=loud[0] - 10_000) > 500]


def find_rise(times_ms, values, around_ms) -> float:
    """When a value has risen half of the way, near a time."""
    near = (times_ms > around_ms - 600) & (times_ms < around_ms + 300)
    risen = values[near] - values[near][0]
    return times_ms[near][np.argmax(risen > risen.max() / 2)]


def test_what_is_spoken_comes_back_seen_and_heard(tab, tmp_path):
    connect(tab)
    told = tab.evaluate(WATCH)
    heard, spoken = (np.array(told[name]) for name in ("heard", "spoken"))
    seen_ms = np.array([at_ms for at_ms, _ in told["seen"]])
    pictures = np.array([picture for _, picture in told["seen"]], float)
    rest = np.median(pictures, axis=0)  # the mouth rests most of the time
    moved = np.abs(pictures - rest).mean(1)
    assert told["stats"]["framesDecoded"] > 120
    assert (told["stats"]["frameWidth"], told["stats"]["frameHeight"]) == (512, 512)
    rate = (len(seen_ms) - 1) / (seen_ms[-1] - seen_ms[0]) * 1000
    assert 15 < rate < 27, rate  # browser, encoder and networks share what the tests leave of two cores
    began, answered = find_starts(*spoken.T, 0.1), find_starts(*heard.T, 0.1)
    delays_ms = [answered[answered > at][0] - at for at in began if (answered > at).any()]
    leads_ms = [at - find_rise(seen_ms, moved, at) for at in answered if seen_ms[0] + 700 < at < seen_ms[-1] - 300]
    heard_after, lead = np.median(delays_ms), np.median(leads_ms)
    print(f"{rate:.1f} frames/s, heard {heard_after:.0f} ms after it was spoken, the mouth {lead:.0f} ms before that")
    assert len(leads_ms) >= 2 and 250 < heard_after < 1_000
    assert -100 < lead < 350, "a mouth opens up to a quarter of a second before its sound, and no later"
    shot = tmp_path / "live.png"
    tab.screenshot(path=str(shot))
    from PIL import Image

    shown = np.asarray(Image.open(shot).convert("RGB"), float)
    assert shown[200:500, 300:900].std() > 20, "a person is to be seen"


def test_one_visitor_at_a_time_and_the_next_one_when_they_have_ended(tab, server):
    connect(tab)
    other = tab.context.browser.new_page(bypass_csp=True)
    other.goto(server)
    other.click("#talk")
    other.wait_for_function("told.textContent.startsWith('Somebody else')", timeout=20_000)
    tab.click("#end")
    connect(other)
    other.click("#end")


def test_a_bad_offer_is_one_sentence(server):
    import urllib.error
    import urllib.request

    for body in (b"hello", b'{"sdp": "x", "type": "wish"}', b"[]"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(
                urllib.request.Request(f"{server}/offer", body, {"Content-Type": "application/json"})
            )
        assert caught.value.code == 400 and b"no offer of a browser" in caught.value.read()
