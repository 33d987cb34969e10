"""How many tokens does a session prefill, ours beside an ordinary RAG chat? One vLLM server, one run; prints JSON.

Both layouts play the same questions with the same answers. Ours: the trunk is only added to, the judge is a branch. The
ordinary one: retrieved context and rubric in a system message rewritten every turn, and a grader with a prompt of its
own. The model has random weights: it is asked for few tokens, and what it says does not matter here.

    python benchmarks/kv_reuse.py [--size 100m] [--questions 10]
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interviewer.cards import Card
from interviewer.desk import engine_for
from interviewer.engines.llm import LLMEngine
from interviewer.engines.messages import alternating
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.openai import OpenAIModel
from interviewer.errors import ModelError
from interviewer.interview import open_interview
from interviewer.library import Library, open_library
from interviewer.progress import SessionSettings, progress
from interviewer.settings import Settings, data_folder
from interviewer.store import open_store

TOKENS = 12
"""Tokens asked for a call: decoding is the same in both layouts."""


class Metered:
    """The served model, cut short; it writes down what each call cost and how long it took."""

    def __init__(self, model: OpenAIModel) -> None:
        self.name = model.name
        self.calls: list[tuple[list[Message], Usage]] = []
        self.seconds = 0.0
        self._model = model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        started = time.perf_counter()
        async for piece in self._model.stream(messages, max_tokens=min(max_tokens, TOKENS)):
            if isinstance(piece, Usage):
                self.calls.append((list(messages), piece))
            else:
                yield piece
        self.seconds += time.perf_counter() - started

    async def parse(self, messages: Sequence[Message], schema: type[T], *, max_tokens: int) -> tuple[T, Usage]:
        """Read the prompt as the judge would, and leave the verdict to the offline judge."""
        async for _ in self.stream(messages, max_tokens=TOKENS):
            pass
        raise ModelError("this benchmark asks for no verdict")


@contextmanager
def served(size: str, home: Path) -> Iterator[str]:
    """Start vLLM with a tiny model of a size; returns its base URL."""
    python = Settings().vllm_python
    folder = home / size
    subprocess.run([python, data_folder("serve") / "tiny.py", "--size", size, folder], check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "interviewer",
        "vllm",
        "--profile",
        "cpu",
        "--model",
        str(folder),
        "--port",
        str(port),
    ]
    with subprocess.Popen(
        command, env={**os.environ, "INTERVIEWER_HOME": str(home)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "is served at" in line:
                    break
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(60)


async def ours(settings: Settings, library: Library, cards: Sequence[Card]) -> tuple[Metered, float, int]:
    """Play the session as the product does; returns the meter, our own milliseconds a turn, and the turns."""
    async with open_store(settings.database) as store, engine_for(settings, library) as engine:
        assert isinstance(engine, LLMEngine)
        meter = Metered(engine.model)  # type: ignore[arg-type]
        engine.model = meter
        async with open_interview(library, store, engine, home=settings.home) as interview:
            wish = SessionSettings(questions=len(cards), cards=tuple(card.id for card in cards))
            session = await interview.open(wish)
            async for _ in interview.go_on(session):
                pass
            turns = 0
            started, before = time.perf_counter(), meter.seconds
            while not progress(await store.transcript(session)).closed:
                current = progress(await store.transcript(session)).current
                assert current is not None
                card = library.cards[current.card_id]
                async for _ in interview.answer(session, card.reference.en):
                    pass
                turns += 1
            own = time.perf_counter() - started - (meter.seconds - before)
    return meter, 1000 * own / turns, turns


async def ordinary(model: OpenAIModel, library: Library, cards: Sequence[Card]) -> Metered:
    """Play the same questions as an ordinary RAG chat does."""
    meter = Metered(model)
    history: list[Message] = []
    for number, card in enumerate(cards, start=1):
        passages = "\n".join(p.text for p in library.passages_of(card, "en"))
        rubric = "\n".join(f"- {point.text.en}" for point in card.points)
        system = Message(
            "system",
            f"You are an interviewer. Question {number} of {len(cards)}.\nContext:\n{passages}\nRubric:\n{rubric}",
        )
        history.append(Message("user", "Ask the next question."))
        await _read(meter, [system, *history])
        history += [Message("assistant", card.question.en), Message("user", card.reference.en)]
        grader = f"Question: {card.question.en}\nRubric:\n{rubric}\nContext:\n{passages}\nAnswer: {card.reference.en}"
        await _read(meter, [Message("system", "You are a strict grader. Reply with JSON."), Message("user", grader)])
        await _read(meter, [system, *history, Message("user", "Say what was good or wrong.")])
        history += [Message("user", "Say what was good or wrong."), Message("assistant", "That covers most of it.")]
    return meter


async def _read(meter: Metered, messages: Sequence[Message]) -> None:
    async for _ in meter.stream(alternating(list(messages)), max_tokens=TOKENS):
        pass


def tokens(base_url: str, messages: Sequence[Message], name: str) -> list[int]:
    """Return the prompt as vLLM tokenizes it."""
    body = {"model": name, "messages": [{"role": m.role, "content": m.content} for m in messages]}
    request = urllib.request.Request(
        base_url.removesuffix("/v1") + "/tokenize", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: list[int] = json.load(answer)["tokens"]
        return found


def distinct(prompts: Sequence[list[int]]) -> int:
    """Return how many tokens must be prefilled at least: each prefix once (the nodes of their trie)."""
    seen: list[list[int]] = []
    total = 0
    for prompt in prompts:
        longest = 0
        for other in seen:
            length = next(
                (i for i, (a, b) in enumerate(zip(prompt, other, strict=False)) if a != b), min(len(prompt), len(other))
            )
            longest = max(longest, length)
        total += len(prompt) - longest
        seen.append(prompt)
    return total


def figures(meter: Metered, base_url: str) -> dict[str, Any]:
    """Return what a layout cost, in all and a call."""
    prompts = [tokens(base_url, messages, meter.name) for messages, _ in meter.calls]
    usages = [usage for _, usage in meter.calls]
    prefilled = sum(usage.prefilled or 0 for usage in usages)
    return {
        "calls": len(usages),
        "prompt_tokens": sum(usage.prompt for usage in usages),
        "cached_tokens": sum(usage.cached or 0 for usage in usages),
        "prefilled_tokens": prefilled,
        "distinct_tokens": distinct(prompts),
        "prefilled_over_distinct": round(prefilled / distinct(prompts), 3),
        "longest_prompt": max(usage.prompt for usage in usages),
        "turns": [
            {"prompt": u.prompt, "cached": u.cached, "prefilled": u.prefilled, "ttft_ms": round(u.first_token_ms, 1)}
            for u in usages
        ],
    }


async def measure(size: str, questions: int) -> dict[str, Any]:
    """Play both layouts on one server."""
    library = open_library(data_folder("knowledge"))
    cards = list(library.cards.values())[:: max(1, len(library.cards) // questions)][:questions]
    with tempfile.TemporaryDirectory() as folder, served(size, Path(folder)) as base_url:
        settings = Settings(home=Path(folder) / "home", engine="llm", llm_base_url=base_url, llm_timeout=600)
        # A first call warms the server up; its salt is nobody else's.
        name = (await _models(settings))[0]
        model = OpenAIModel(base_url=base_url, name=name, api_key="", timeout=600, cache_salt=secrets.token_urlsafe(16))
        async for _ in model.stream([Message("user", "Hello. " * 500)], max_tokens=TOKENS):
            pass
        meter, own_ms, turns = await ours(settings, library, cards)
        mine = figures(meter, base_url)
        plain = figures(await ordinary(model, library, cards), base_url)
        await model.close()
    last_ours = [turn["ttft_ms"] for turn in mine["turns"][-3:]]
    last_plain = [turn["ttft_ms"] for turn in plain["turns"][-3:]]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
        "model": f"Qwen3 architecture, {size} parameters, random weights",
        "questions": questions,
        "block_tokens": 32,
        "prefilled_over_distinct": mine["prefilled_over_distinct"],
        "ttft_ratio_last_question": round(sum(last_plain) / sum(last_ours), 2),
        "prefilled_ratio": round(plain["prefilled_tokens"] / mine["prefilled_tokens"], 2),
        "session_tokens": mine["longest_prompt"],
        "own_ms_per_turn": round(own_ms, 1),
        "answers": turns,
        "ours": mine,
        "ordinary": plain,
        "turns": mine["turns"],
    }


async def _models(settings: Settings) -> tuple[str, ...]:
    from interviewer.engines.discover import look_at

    return (await look_at(settings.llm_base_url, key="", seconds=10)).models


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("5m", "100m", "350m"), default="100m")
    parser.add_argument("--questions", type=int, default=10)
    wanted = parser.parse_args()
    print(json.dumps(asyncio.run(measure(wanted.size, wanted.questions)), indent=2))


if __name__ == "__main__":
    main()
