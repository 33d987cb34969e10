"""Put the parts together: what every surface opens before it starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from interviewer.engines.base import Engine
from interviewer.engines.offline import OfflineEngine
from interviewer.interview import Interview, open_interview
from interviewer.library import Library, open_library
from interviewer.progress import SessionSettings
from interviewer.retrieval.embedder import embedder
from interviewer.settings import Settings
from interviewer.store import open_store


def engine_for(settings: Settings, library: Library) -> Engine:
    """Return the engine of the settings."""
    return OfflineEngine(embedder(settings.embedder), library.glossary)


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
        open_interview(library, store, engine_for(settings, library), home=settings.home) as interview,
    ):
        yield interview
