"""Serve the page: loads the networks, opens a port, and removes all files at the end."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from g4g.dubbing import Dubber
from g4g.errors import ConfigError
from g4g.options import LoadOptions, ServeOptions
from g4g.serve.studio import Studio

_POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    b"form-action 'self'; frame-ancestors 'self'; object-src 'none'"
)
"""What a browser may load for the page: only what this server gives."""


class OnlyFromHere:
    """ASGI layer that tells the browser to fetch nothing from elsewhere: gradio's own page names fonts and scripts."""

    def __init__(self, app) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        async def send_with_policy(message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"content-security-policy", _POLICY)]}
            await send(message)

        await self._app(scope, receive, send_with_policy)


def serve(load: LoadOptions, limits: ServeOptions, sign=None, *, wait: bool = True):
    """Show the page until Ctrl-C.

    Args:
        load: networks, face backend and device.
        limits: where, and what visitors may give.
        sign: certificate and key, as for `Dubber.dub`.
        wait: False returns at once: (page, folder), or the live server, for the caller to close.
    Raises:
        ConfigError: the extra is not installed, or the port is taken.
    """
    if limits.live is not None:
        try:
            from g4g.serve.live import serve_live
        except ImportError as error:
            raise ConfigError("g4g serve --live needs the extra live: pip install 'g4g[live]'") from error
        return serve_live(load, limits, wait=wait)
    folder = tempfile.TemporaryDirectory(prefix="g4g-serve-")
    os.environ["GRADIO_TEMP_DIR"] = str(Path(folder.name) / "uploads")
    try:
        from starlette.middleware import Middleware

        from g4g.serve.page import STYLE, build_page, gr
    except ImportError as error:
        raise ConfigError("g4g serve needs the extra serve: pip install 'g4g[serve]'") from error
    dubber = Dubber.from_pretrained(**vars(load))
    place = Path(folder.name) / "visits"
    place.mkdir()
    page = build_page(Studio(dubber, place, limits, sign), limits)
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    try:
        page.launch(
            server_name=limits.host, server_port=limits.port, share=False, quiet=True, ssr_mode=False, pwa=False,
            max_file_size=f"{limits.max_mb}mb", allowed_paths=[str(place)], prevent_thread_lock=True, theme=theme,
            css=STYLE, footer_links=[], app_kwargs={"middleware": [Middleware(OnlyFromHere)]}, enable_monitoring=False,
        )  # fmt: skip
    except OSError as error:
        raise ConfigError(f"cannot serve at {limits.host}:{limits.port}: {error}; give another --port") from error
    if not wait:
        return page, folder
    print(f"g4g: http://{limits.host}:{limits.port} (Ctrl-C ends it)", flush=True)
    try:
        page.block_thread()
    finally:
        page.close()
        folder.cleanup()
    return None
