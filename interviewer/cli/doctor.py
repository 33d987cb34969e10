"""Say whether everything that is needed is there."""

import asyncio
from collections.abc import Callable
from typing import Any

from interviewer.errors import InterviewerError
from interviewer.library import read_library
from interviewer.library_check import check, counts
from interviewer.settings import Settings


def examine(settings: Settings) -> list[dict[str, Any]]:
    """Return one finding a check: name, ok, and what to know or do."""
    checks: dict[str, Callable[[Settings], str]] = {
        "knowledge": _knowledge,
        "embedder": _embedder,
        "index": _index,
        "sessions": _sessions,
    }
    return [_finding(name, look, settings) for name, look in checks.items()] + [
        {"name": "engine", "ok": True, "says": "offline: speaks from the cards, no model is asked"}
    ]


def _finding(name: str, look: Callable[[Settings], str], settings: Settings) -> dict[str, Any]:
    try:
        return {"name": name, "ok": True, "says": look(settings)}
    except InterviewerError as error:
        return {"name": name, "ok": False, "says": str(error)}


def _knowledge(settings: Settings) -> str:
    library = read_library(settings.knowledge)
    problems = check(library)
    if problems:
        raise InterviewerError(f"{problems[0]}; `interviewer cards check` lists {len(problems)} problems")
    return ", ".join(f"{count} {name}" for name, count in counts(library).items())


def _embedder(settings: Settings) -> str:
    from interviewer.retrieval.embedder import embedder

    model = embedder(settings.embedder)
    return f"{model.id}, {model.embed(['hello']).shape[1]} dimensions"


def _index(settings: Settings) -> str:
    from interviewer.retrieval.index import index_for

    library = read_library(settings.knowledge)
    index_for(settings, library)
    return f"{len(library.passages)} passages in {settings.index_root}"


def _sessions(settings: Settings) -> str:
    from interviewer.cli.sessions import rows

    return f"{len(asyncio.run(rows(settings)))} in {settings.database}"
