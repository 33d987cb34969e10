"""Say whether everything that is needed is there."""

import asyncio
from collections.abc import Callable
from typing import Any

from interviewer.calibration import trust
from interviewer.engines.model import ChatModel, Message, Usage
from interviewer.errors import InterviewerError
from interviewer.library import library_of, read_library
from interviewer.library_check import check, counts
from interviewer.settings import Settings


def examine(settings: Settings) -> list[dict[str, Any]]:
    """Return one finding a check: name, ok, and what to know or do."""
    checks: dict[str, Callable[[Settings], str]] = {
        "knowledge": _knowledge,
        "embedder": _embedder,
        "index": _index,
        "sessions": _sessions,
        "engine": _engine,
    }
    return [_finding(name, look, settings) for name, look in checks.items()]


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


def _engine(settings: Settings) -> str:
    return asyncio.run(_spoken_to(settings))


async def _spoken_to(settings: Settings) -> str:
    """Ask the engine's server for what the interview needs of it."""
    from interviewer.desk import engine_for
    from interviewer.engines.judging import JudgeReply
    from interviewer.engines.llm import LLMEngine
    from interviewer.errors import BadModelOutput

    async with engine_for(settings, library_of(settings)) as engine:
        if not isinstance(engine, LLMEngine):
            return f"offline: speaks from the cards, no model is asked; {trust(settings, engine.name, lang='en')}"
        start = [Message("system", "You answer in one word. " * 60), Message("user", "Say yes.")]
        for _ in range(2):
            usage, _ = await _said(engine.model, start, max_tokens=8)
        kept = await _keeps_history(engine.model) if usage.cached is not None else ""
        try:
            await engine.model.parse(
                [Message("user", "<answer 0>\nYes, it is.\n</answer 0>\n\nDIRECTION JUDGE CARD 1 POINTS 1")],
                JudgeReply,
                max_tokens=2000,
            )
            schema = "honours json_schema"
        except BadModelOutput:
            schema = "does NOT honour json_schema (verdicts will often be judged offline)"
    if usage.cached is None:
        cache = "does not report cached tokens (vLLM: --enable-prompt-tokens-details)"
    else:
        cache = f"reused {usage.cached} of {usage.prompt} prompt tokens in a second, equal call"
    return f"{engine.name}: {cache}; {kept}{schema}; {trust(settings, engine.name, lang='en')}"


async def _keeps_history(model: ChatModel) -> str:
    """Tell whether the next turn finds the model's reply in the cache, as it was said."""
    chat = [Message("system", "You do what you are told. " * 40), Message("user", "Count from one to sixty in words.")]
    first, reply = await _said(model, chat, max_tokens=160)
    second, _ = await _said(model, [*chat, Message("assistant", reply), Message("user", "Thank you.")], max_tokens=4)
    if (second.cached or 0) >= first.prompt + first.completion // 2:
        return "its template keeps what was said as it was; "
    return "what it said last is read again each turn: its template rewrites it, or its text is cut into other tokens; "


async def _said(model: ChatModel, messages: list[Message], *, max_tokens: int) -> tuple[Usage, str]:
    usage, reply = Usage(), ""
    async for piece in model.stream(messages, max_tokens=max_tokens):
        if isinstance(piece, Usage):
            usage = piece
        else:
            reply += piece
    return usage, reply
