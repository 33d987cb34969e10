"""The FastAPI app that carries the web chat."""

import os

# Before gradio is imported: no telemetry, no version ping.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import gradio as gr
import uvicorn
from fastapi import FastAPI

from interviewer.desk import interview_desk
from interviewer.errors import ConfigError
from interviewer.interview import Interview
from interviewer.settings import Settings
from interviewer.web.app import CSS, build


def make_app(interview: Interview, settings: Settings) -> FastAPI:
    """Return the app for an opened interview."""
    app = FastAPI(title="Interviewer", docs_url=None, redoc_url=None, openapi_url=None)
    app.get("/health")(lambda: {"status": "ok", "engine": interview.engine.name})
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build(interview, settings),
        path="/",
        css=CSS,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        show_error=False,
        footer_links=[],
        max_file_size="5mb",
        enable_monitoring=False,
        run_history=False,
        server_name=settings.host,
        server_port=settings.port,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return mounted


@asynccontextmanager
async def opened_app(settings: Settings) -> AsyncIterator[FastAPI]:
    """Open everything the app needs, for as long as it runs."""
    async with interview_desk(settings) as interview:
        yield make_app(interview, settings)


def serve(settings: Settings) -> None:
    """Run the web chat until it is stopped.

    Raises:
        ConfigError: the port is taken.
    """
    import asyncio

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigError(
                f"{settings.host}:{settings.port} cannot be used: {error.strerror}; choose another with --port"
            ) from error
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with opened_app(settings) as app:
        config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning")
        server = uvicorn.Server(config)
        print(
            f"the web chat is at http://{settings.host}:{settings.port} (Ctrl-C stops it)", file=sys.stderr, flush=True
        )
        await server.serve()
