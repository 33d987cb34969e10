"""Put the parts together: what every surface opens before it starts."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from interviewer.cards import Bilingual
from interviewer.drafts import keep
from interviewer.engines.base import Engine
from interviewer.engines.model import ChatModel
from interviewer.engines.offline import OfflineEngine
from interviewer.errors import ModelUnavailable, unwritable
from interviewer.interview import Interview, open_interview
from interviewer.library import Library, library_of
from interviewer.progress import SessionSettings
from interviewer.settings import Settings
from interviewer.store import open_store

NONE_FITS = Bilingual(
    en="no card is on “{about}” itself; the nearest ones are asked", zh="没有哪张卡片正好讲“{about}”，先问最接近的"
)
DRAFTED = Bilingual(
    en="the first question was drafted by the model from your notes and nobody has reviewed it; it is kept in {file}",
    zh="第一题由模型根据你的笔记草拟，还没有人审阅过；保存在 {file}",
)


@asynccontextmanager
async def engine_for(settings: Settings, library: Library) -> AsyncIterator[Engine]:
    """Open the engine of the settings; with `auto`, the model that is found, else offline. Raises as `model_for`."""
    offline = OfflineEngine(library.glossary)
    async with model_for(settings) as model:
        if model is None:
            yield offline
            return
        from interviewer.engines.judging import LLMJudge
        from interviewer.engines.llm import LLMEngine

        judge = LLMJudge(
            model,
            points_a_call=settings.llm_points_a_call,
            samples=settings.llm_samples,
            second_opinion=settings.llm_second_opinion,
        )
        yield LLMEngine(judge, library, offline)


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


async def with_about(wish: SessionSettings, settings: Settings, interview: Interview) -> SessionSettings:
    """Find the cards for the candidate's own words; where none fits, have one drafted, or say so.

    Raises:
        NothingFound: the notes hold nothing on them.
    """
    if not wish.about.strip():
        return wish
    from interviewer.retrieval.about import cards_about  # Chroma takes half a second to import
    from interviewer.retrieval.index import index_for

    library = interview.library
    found = cards_about(index_for(settings, library), library, wish.about, limit=max(wish.questions, 5))
    if found.fits:
        return replace(wish, cards=found.cards, questions=min(wish.questions, len(found.cards)))
    drafted = await interview.engine.draft(wish.about, found.passages, lang=wish.lang)
    if drafted is None:
        note = NONE_FITS.get(wish.lang).format(about=wish.about)
        return replace(wish, cards=found.cards, questions=min(wish.questions, len(found.cards)), note=note)
    library.add(keep(drafted, settings.drafts))
    cards = (drafted.id, *found.cards)
    note = DRAFTED.get(wish.lang).format(file=settings.drafts / f"{drafted.id}.yaml")
    return replace(wish, cards=cards, questions=min(wish.questions, len(cards)), note=note)


@asynccontextmanager
async def interview_desk(settings: Settings) -> AsyncIterator[Interview]:
    """Open library, store, engine and interview.

    Raises:
        InterviewerError: one of them can't be opened.
    """
    library = library_of(settings)
    async with (
        open_store(settings.database) as store,
        engine_for(settings, library) as engine,
        open_interview(library, store, engine, home=settings.home) as interview,
    ):
        yield interview
