"""Serve a talking picture to a browser: its microphone drives an avatar, picture and sound come back (WebRTC)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import vpx
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route

from g4g.adapting import Dubber
from g4g.errors import ConfigError
from g4g.live import LiveFrame, Stream
from g4g.options import LoadOptions, ServeOptions
from g4g.serve.live_page import LIVE_PAGE

_LOG = logging.getLogger("g4g")
_RATE_HZ = 48_000
_PACKET_S = 0.02
_MOST_SILENT_S = 10.0
"""A browser from which nothing came for so long is gone."""
_MOST_WAITING_S = 0.5
"""Where more sound than this waits, the microphone's clock runs faster than ours: some is dropped."""
_MOST_BITRATE = 4_000_000
"""Of the picture, bits/s; aiortc stops at 1.5 million, which blurs a face of 1280x720, and has no other switch."""
_POLICY = "default-src 'self' 'unsafe-inline' blob:; object-src 'none'; frame-ancestors 'self'"


class OutgoingTrack(MediaStreamTrack):
    """A track whose frames are put into it; it holds some, and whoever puts more waits."""

    def __init__(self, kind: str, most: int) -> None:
        super().__init__()
        self.kind, self.frames = kind, asyncio.Queue(most)

    async def recv(self) -> VideoFrame | AudioFrame:
        """Give the next frame to the peer."""
        if self.readyState != "live":
            raise MediaStreamError
        return await self.frames.get()


class Visit:
    """One browser that is connected."""

    def __init__(self, stream: Stream, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end: Callable[[], None] | None = on_end
        self._picture, self._sound = OutgoingTrack("video", 2), OutgoingTrack("audio", 50)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # nobody else is asked for our address
        self._tasks: list[asyncio.Task] = []
        self._start(self._give())
        self._peer.on("track", self._hear)
        self._peer.on("datachannel", lambda channel: channel.on("message", self._obey))
        self._peer.on("connectionstatechange", self._watch)

    async def answer(self, offer: RTCSessionDescription) -> dict:
        """Answer a browser's offer."""
        await self._peer.setRemoteDescription(offer)
        self._peer.addTrack(self._picture)
        self._peer.addTrack(self._sound)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        described = self._peer.localDescription
        return {"sdp": described.sdp, "type": described.type}

    async def close(self) -> None:
        """End it; whoever waits for frames is told."""
        if self._on_end is None:
            return
        told, self._on_end = self._on_end, None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._peer.close()
        await asyncio.to_thread(self._stream.close)
        told()

    async def _watch(self) -> None:
        if self._peer.connectionState in ("failed", "closed", "disconnected"):
            await self.close()

    def _obey(self, message: object) -> None:
        if message == "interrupt":
            self._stream.interrupt()

    def _hear(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._start(self._listen(track))

    def _start(self, work: Coroutine) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._check)
        self._tasks.append(task)

    def _check(self, task: asyncio.Task) -> None:
        """End the visit where one of its tasks failed."""
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a live visit failed", exc_info=task.exception())
            self._tasks.append(asyncio.create_task(self.close()))

    async def _listen(self, track: MediaStreamTrack) -> None:
        """Push what the microphone hears."""
        waiting_s = 0.0
        with suppress(MediaStreamError, asyncio.TimeoutError):  # the browser takes its microphone, or itself, away
            while True:
                frame = await asyncio.wait_for(track.recv(), _MOST_SILENT_S)
                if waiting_s < self._stream.look_ahead_s + _MOST_WAITING_S:
                    chunk = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
                    waiting_s = self._stream.push_audio(chunk, frame.sample_rate)
                else:
                    waiting_s = self._stream.stats.waiting_s
        await self.close()

    async def _give(self) -> None:
        """Pass on frames and sound as they come."""
        size, pts, rest = round(_PACKET_S * _RATE_HZ), 0, np.zeros(0, np.int16)
        async for item in self._stream:
            if not isinstance(item, LiveFrame):
                continue
            frame = VideoFrame.from_ndarray(item.frame, format="rgb24")
            frame.pts, frame.time_base = round(item.time_s * 90_000), Fraction(1, 90_000)
            rest = np.concatenate([rest, item.sound])
            while len(rest) >= size:
                packet = AudioFrame.from_ndarray(rest[None, :size], format="s16", layout="mono")
                packet.pts, packet.time_base, packet.sample_rate = pts, Fraction(1, _RATE_HZ), _RATE_HZ
                rest, pts = rest[size:], pts + size
                await self._sound.frames.put(packet)
            await self._picture.frames.put(frame)


class LiveRoom:
    """The web application `app`: the page, and one visit at a time."""

    def __init__(self, dubber: Dubber, avatar: str | Path) -> None:
        self._open = lambda: dubber.stream(avatar, sample_rate=_RATE_HZ)
        self._ready: Stream | None = self._open()  # what is wrong with the avatar is told before anybody comes
        self._visit: Visit | None = None
        self._opening = asyncio.Lock()
        routes = [Route("/", self._show), Route("/offer", self._take_offer, methods=["POST"])]
        self.app = Starlette(routes=routes, lifespan=self._live)

    async def _show(self, request: Request) -> HTMLResponse:
        return HTMLResponse(LIVE_PAGE, headers={"content-security-policy": _POLICY})

    async def _take_offer(self, request: Request) -> JSONResponse | PlainTextResponse:
        async with self._opening:
            if self._visit is not None:
                return PlainTextResponse("Somebody else is speaking; try again when they have ended.", 503)
            try:
                offer = await request.json()
                described = RTCSessionDescription(offer["sdp"], offer["type"])
                stream, self._ready = self._ready or await asyncio.to_thread(self._open), None
                self._visit = Visit(stream, self._forget)
                return JSONResponse(await self._visit.answer(described))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                if self._visit is not None:
                    await self._visit.close()
                return PlainTextResponse(f"This is no offer of a browser: {error!r}", 400)

    def _forget(self) -> None:
        self._visit = None

    @asynccontextmanager
    async def _live(self, app: Starlette) -> AsyncIterator[None]:
        yield
        if self._visit is not None:
            await self._visit.close()
        if self._ready is not None:
            self._ready.close()


class LiveServer:
    """Serves a room at an address, in a thread of its own, until `close`."""

    def __init__(self, room: LiveRoom, host: str, port: int) -> None:
        self._server = uvicorn.Server(uvicorn.Config(room.app, host, port, log_level="warning"))
        try:
            self._socket = self._server.config.bind_socket()
        except SystemExit as error:  # uvicorn's way to say that the port is taken
            raise ConfigError(f"cannot serve at {host}:{port}; give another --port") from error
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until it ends."""
        while self._thread.is_alive():
            self._thread.join(1)

    def close(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def serve_live(load: LoadOptions, limits: ServeOptions, *, wait: bool = True) -> LiveServer | None:
    """Show the live page until Ctrl-C; arguments and errors as for `g4g.serve.server.serve`.

    Raises:
        ConfigError: the port is taken, or the weights cannot stream. MediaError: the avatar cannot be read.
    """
    vpx.DEFAULT_BITRATE = vpx.MAX_BITRATE = _MOST_BITRATE
    room = LiveRoom(Dubber.from_pretrained(**vars(load)), limits.live)
    server = LiveServer(room, limits.host, limits.port)
    if not wait:
        return server
    print(f"g4g: http://{limits.host}:{limits.port} (Ctrl-C ends it)", flush=True)
    try:
        server.wait()
    finally:
        server.close()
    return None
