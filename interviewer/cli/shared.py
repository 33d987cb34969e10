"""What all commands share: their common options, and how they print."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

import typer

T = TypeVar("T")
EngineOption = Annotated[
    Literal["auto", "offline", "llm"] | None,
    typer.Option("--engine", help="Who speaks and judges; auto: a model server that is found, else offline."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LangOption = Annotated[Literal["en", "zh"] | None, typer.Option("--lang", help="Language of questions.")]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run async work: the one sync edge."""
    return asyncio.run(work)


def say(line: str = "") -> None:
    """Print for the reader, on stderr: stdout is for data."""
    print(line, file=sys.stderr, flush=True)


def put(data: Any) -> None:
    """Print JSON on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str), flush=True)
