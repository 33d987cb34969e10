"""Grade a file of answers: one JSON line in, one JSON line out."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from rich.console import Console
from rich.progress import Progress

from interviewer.desk import engine_for
from interviewer.errors import ConfigError
from interviewer.grading.grade import Claim, Judge, JudgingTask
from interviewer.grading.pipeline import grade
from interviewer.labels import PointLine, read_lines, why_unreadable
from interviewer.language import Glossary
from interviewer.library import library_of
from interviewer.settings import Settings

AT_ONCE = 8
"""Answers that a model judges side by side."""
Words = Annotated[str, StringConstraints(min_length=1)]


class Line(BaseModel):
    """One answer to grade."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str
    lang: Literal["en", "zh"] = "en"
    question: str = ""
    points: list[PointLine] = Field(min_length=1)
    reference: str | None = None
    answer: str


async def grade_file(file: Path, *, output: Path | None, settings: Settings) -> int:
    """Grade every line; a line that can't be read comes out as not graded. Returns the exit code.

    Raises:
        ConfigError: the file cannot be read, or the output not written.
    """
    lines = read_lines(file)
    library = library_of(settings)
    words = library.glossary
    done = bad = 0
    async with AsyncExitStack() as stack:
        judge = await stack.enter_async_context(engine_for(settings, library))
        target = stack.enter_context(_writable(output)) if output else sys.stdout
        bar = stack.enter_context(Progress(console=Console(stderr=True), disable=not (output and sys.stderr.isatty())))
        task = bar.add_task("grading", total=sum(bool(line.strip()) for line in lines))
        try:
            async for result in _grades(lines, judge, words):
                bad += "line" in result
                print(json.dumps(result, ensure_ascii=False), file=target, flush=True)
                done += 1
                bar.advance(task)
        except asyncio.CancelledError:
            print(f"interrupted; {done} answer(s) are graded and written", file=sys.stderr)
            raise
    if bad:
        print(f"error: {bad} line(s) of {file} could not be read; their reason is in the output", file=sys.stderr)
    return 1 if bad else 0


def _writable(output: Path) -> TextIO:
    try:
        return output.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error


async def _grades(lines: list[str], judge: Judge, words: Glossary) -> AsyncIterator[dict[str, Any]]:
    """Grade the lines, some at once, and return the grades in order."""
    running: deque[asyncio.Task[dict[str, Any]]] = deque()
    try:
        for number, text in enumerate(lines, start=1):
            if text.strip():
                running.append(asyncio.create_task(_graded(number, text, judge, words)))
            if len(running) == AT_ONCE:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for left in running:
            left.cancel()


async def _graded(number: int, text: str, judge: Judge, words: Glossary) -> dict[str, Any]:
    try:
        line = Line.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        return _not_graded(_name(text), number, why_unreadable(number, error), judge.name)
    if len({point.id for point in line.points}) < len(line.points):
        return _not_graded(line.id, number, "two points have one id", judge.name)
    claims = tuple(Claim(id=p.id, text=p.text, weight=p.weight, keys=()) for p in line.points)
    task = JudgingTask(question=line.question, answer=line.answer, lang=line.lang, claims=claims)
    return {"id": line.id, **(await grade(task, judge=judge, glossary=words)).as_json()}


def _name(text: str) -> str | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return str(data["id"]) if isinstance(data, dict) and "id" in data else None


def _not_graded(name: str | None, number: int, reason: str, engine: str) -> dict[str, Any]:
    return {
        "id": name, "line": number, "score": None, "graded": False, "reason": reason, "engine": engine, "points": [],
    }  # fmt: skip
