"""Finds the model server: the configured one, else one that listens on loopback."""

import asyncio
from dataclasses import dataclass

import httpx2

from interviewer.errors import ModelError, ModelUnavailable
from interviewer.settings import Settings

USUAL = {
    "vLLM": "http://127.0.0.1:8000/v1",
    "Ollama": "http://127.0.0.1:11434/v1",
    "llama.cpp": "http://127.0.0.1:8080/v1",
    "LM Studio": "http://127.0.0.1:1234/v1",
}
"""Where servers listen by default."""
PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """A model server that answers."""

    base_url: str
    models: tuple[str, ...]


async def find_server(settings: Settings) -> Server | None:
    """Return the server to use; None when none is configured and none is found.

    Raises:
        ModelError: one is configured and cannot be used.
    """
    key = settings.llm_api_key.get_secret_value()
    if settings.llm_base_url:
        server = await look_at(settings.llm_base_url, key=key, seconds=settings.llm_timeout)
        if settings.llm_model and settings.llm_model not in server.models:
            raise ModelError(
                f"{server.base_url} serves {', '.join(server.models)}, not {settings.llm_model!r}; "
                "set INTERVIEWER_LLM_MODEL to one of these"
            )
        return server
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_glance(url, key=key)) for url in USUAL.values()]
    found = [task.result() for task in tasks]
    return next((server for server in found if server and settings.llm_model in ("", *server.models)), None)


async def _glance(base_url: str, *, key: str) -> Server | None:
    try:
        return await look_at(base_url, key=key, seconds=PROBE_SECONDS)
    except ModelError:
        return None


async def look_at(base_url: str, *, key: str, seconds: float) -> Server:
    """Ask a server what it serves.

    Raises:
        ModelUnavailable: it does not answer.
        ModelError: what answers is no OpenAI-compatible server, or refuses the key.
    """
    url = base_url.rstrip("/")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx2.AsyncClient(timeout=seconds, trust_env=False) as client:
            answer = await client.get(f"{url}/models", headers=headers)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        raise ModelUnavailable(
            f"the model server at {url} does not answer ({error or 'time-out'}); is it running?"
        ) from error
    if answer.status_code in (401, 403):
        raise ModelError(f"the model server at {url} refuses the key; set INTERVIEWER_LLM_API_KEY")
    try:
        models = tuple(str(row["id"]) for row in answer.json()["data"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"what answers at {url} is no OpenAI-compatible server; does the address end in /v1?"
        ) from error
    if not models:
        raise ModelError(f"the model server at {url} serves no model")
    return Server(url, models)
