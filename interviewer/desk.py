"""Put the parts together: what every surface opens before it starts."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from interviewer.engines.base import Engine
from interviewer.engines.model import ChatModel
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import ModelUnavailable, unwritable
from interviewer.interview import Interview, open_interview
from interviewer.library import Library, open_library
from interviewer.progress import SessionSettings
from interviewer.retrieval.embedder import embedder
from interviewer.settings import Settings
from interviewer.store import open_store


@asynccontextmanager
async def engine_for(settings: Settings, library: Library) -> AsyncIterator[Engine]:
    """Open the engine of the settings; with `auto`, the model that is found, else offline. Raises as `model_for`."""
    offline = OfflineEngine(embedder(settings.embedder), library.glossary)
    async with model_for(settings) as model:
        if model is None:
            yield offline
            return
        from interviewer.engines.llm import LLMEngine

        yield LLMEngine(model, library, offline, judge=settings.llm_judge)


@asynccontextmanager
async def model_for(settings: Settings) -> AsyncIterator[ChatModel | None]:
    """Open the model of the settings; with `auto`, one that is found; None when the offline engine is to do it.

    Raises:
        ModelError: a server is configured and cannot be used.
        ModelUnavailable: engine is `llm` and there is none.
    """
    if settings.engine == "offline":
        yield None
        return
    from interviewer.engines.discover import find_server

    server = await find_server(settings)
    if server is None:
        if settings.engine == "llm":
            raise ModelUnavailable(
                "no model server was found; start one (`interviewer vllm`) or set INTERVIEWER_LLM_BASE_URL"
            )
        yield None
        return
    from interviewer.engines.openai import OpenAIModel  # LangChain takes a second to import

    model = OpenAIModel(
        base_url=server.base_url,
        name=settings.llm_model or server.models[0],
        api_key=settings.llm_api_key.get_secret_value(),
        timeout=settings.llm_timeout,
        cache_salt=settings.llm_cache_salt or _salt(settings),
    )
    try:
        yield model
    finally:
        await model.close()


def _salt(settings: Settings) -> str:
    """Return this home's own salt: nobody else's prompts share its KV blocks."""
    path = settings.home / "cache_salt"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(secrets.token_urlsafe(32), "utf-8")
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise unwritable(settings.home, error) from error


def with_about(wish: SessionSettings, settings: Settings, library: Library) -> SessionSettings:
    """Find the cards for the candidate's own words.

    Raises:
        NothingFound: the notes hold nothing on them.
    """
    if not wish.about.strip():
        return wish
    from interviewer.retrieval.about import cards_about  # Chroma takes half a second to import
    from interviewer.retrieval.index import index_for

    found = cards_about(index_for(settings, library), library, wish.about, limit=max(wish.questions, 5))
    return replace(wish, cards=found, questions=min(wish.questions, len(found)))


@asynccontextmanager
async def interview_desk(settings: Settings) -> AsyncIterator[Interview]:
    """Open library, store, engine and interview.

    Raises:
        InterviewerError: one of them can't be opened.
    """
    library = open_library(settings.knowledge)
    async with (
        open_store(settings.database) as store,
        engine_for(settings, library) as engine,
        open_interview(library, store, engine, home=settings.home) as interview,
    ):
        yield interview
