"""How many tokens does a session prefill, ours beside an ordinary RAG chat? One vLLM server, one run; prints JSON.

Both layouts play the same session: each question is answered in two parts, with a follow-up in between. Ours: the trunk
is only added to, the judge is a branch, the next card is read while the candidate thinks. The ordinary one: passages
found for the last message and the rubric in a system message rewritten every turn, and a grader with a prompt of its
own. The model has random weights: it is asked for few tokens, its verdicts are scripted, and what it says does not
matter. A table goes to stderr.

    python benchmarks/kv_reuse.py [--size 100m] [--questions 10]
"""

import argparse
import asyncio
import json
import os
import platform
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from interviewer.cards import Card
from interviewer.desk import engine_for
from interviewer.engines.discover import look_at
from interviewer.engines.llm import LLMEngine
from interviewer.engines.messages import alternating
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.openai import OpenAIModel
from interviewer.interview import open_interview
from interviewer.library import Library, open_library
from interviewer.progress import SessionSettings, progress
from interviewer.retrieval.index import SearchIndex, index_for
from interviewer.settings import Settings, data_folder
from interviewer.store import open_store
from interviewer.transcript import Turn

TOKENS = 12
"""Tokens asked for a call: decoding is the same in both layouts."""
PASSAGES = 4
"""Passages that the ordinary chat retrieves for a message."""
POINT_TOKENS = 60
"""Tokens written about a point when the two ways to judge are timed."""


@dataclass(frozen=True)
class Call:
    """One call of the model."""

    what: str
    """ask, follow-up, remark, judge, or read ahead."""
    messages: list[Message]
    usage: Usage


class Metered:
    """A model that is cut short, with scripted verdicts; it writes down what each call cost.

    Without a model it replies at once: what a turn takes then is our own time.
    """

    def __init__(self, model: OpenAIModel | None) -> None:
        self.name = model.name if model else "instant"
        self.calls: list[Call] = []
        self._model = model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        direction = messages[-1].content.splitlines()[-1].split()
        what = direction[1].lower() if direction[:1] == ["DIRECTION"] else "read ahead"
        async for piece in self.read(what, messages, max_tokens):
            yield piece

    async def read(self, what: str, messages: Sequence[Message], max_tokens: int) -> AsyncIterator[str | Usage]:
        """Have the server read a prompt, and say a little."""
        if self._model is None:
            yield "Well."
            yield Usage()
            return
        async for piece in self._model.stream(messages, max_tokens=min(max_tokens, TOKENS)):
            if isinstance(piece, Usage):
                self.calls.append(Call(what, list(messages), piece))
            yield piece

    async def parse(self, messages: Sequence[Message], schema: type[T], *, max_tokens: int) -> tuple[T, Usage]:
        """Read the prompt as the judge would; the fourth point is missed in the first of two answers."""
        usage = Usage()
        async for piece in self.stream(messages, max_tokens=TOKENS):
            usage = piece if isinstance(piece, Usage) else usage
        direction = messages[-1].content.splitlines()[-1]
        card, *points = map(int, re.findall(r"\d+", direction))
        first = not any(f"FOLLOW-UP CARD {card} " in message.content for message in messages)
        answer = messages[-1].content.split("</answer")[0].splitlines()[-1]
        rows = [
            {
                "point": point,
                "evidence": [answer[:60]],
                "reason": "It says so.",
                "verdict": "missed" if first and point == 4 else "covered",
            }
            for point in points
        ]
        return schema.model_validate({"points": rows}), usage


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


def halves(card: Card) -> tuple[str, str]:
    """Return a candidate's answer in two parts: half of the reference each."""
    parts = re.split(r"(?<=[.?!]) ", card.reference.en)
    half = (len(parts) + 1) // 2
    return " ".join(parts[:half]), " ".join(parts[half:]) or "That is all I know of it."


async def ours(
    settings: Settings, library: Library, cards: Sequence[Card], *, instant: bool = False
) -> tuple[Metered, list[float], list[Turn]]:
    """Play the session as the product does; returns the meter, milliseconds a turn, and what was said."""
    async with open_store(settings.database) as store, engine_for(settings, library) as engine:
        assert isinstance(engine, LLMEngine)
        meter = Metered(None if instant else engine.model)  # type: ignore[arg-type]
        engine.model = meter
        async with open_interview(library, store, engine, home=settings.home) as interview:
            wish = SessionSettings(questions=len(cards), cards=tuple(card.id for card in cards))
            session = await interview.open(wish)
            async for _ in interview.go_on(session):
                pass
            took = []
            while not (where := progress(await store.transcript(session))).closed:
                await interview.settled()  # the candidate thinks
                assert where.current is not None
                part = halves(library.cards[where.current.card_id])[len(where.current.answers)]
                started = time.perf_counter()
                async for _ in interview.answer(session, part):
                    pass
                took.append(1000 * (time.perf_counter() - started))
            return meter, took, list((await store.transcript(session)).turns)


async def ordinary(model: OpenAIModel, library: Library, search: SearchIndex, said: Sequence[Turn]) -> Metered:
    """Play what was said again, as an ordinary RAG chat does."""
    meter = Metered(model)
    history: list[Message] = []
    card = None
    for turn in said:
        if turn.kind in ("opened", "planned", "closed"):
            continue
        if turn.kind == "question":
            card = library.cards[turn.data["card"]]
        assert card is not None
        rubric = "\n".join(f"- {point.text.en}" for point in card.points)
        query = history[-1].content if turn.kind == "grade" else card.question.en
        context = "\n\n".join(passage.text for passage, _ in search.search(query, limit=PASSAGES, lang="en"))
        system = f"You are the interviewer of a mock interview.\nContext:\n{context}\n\nRubric:\n{rubric}"
        match turn.kind:
            case "answer":
                history.append(Message("user", turn.text))
            case "grade":
                asked = f"Question: {card.question.en}\nRubric:\n{rubric}\nContext:\n{context}"
                grader = f"{asked}\nAnswer: {turn_text(history)}"
                messages = [Message("system", "You are a strict grader. Reply with JSON."), Message("user", grader)]
                await _read(meter, "judge", messages)
            case _:
                what = {"question": "ask", "follow_up": "follow-up"}.get(turn.kind, "remark")
                prompt = [Message("system", system), *history, Message("user", f"Now: {what}.")]
                await _read(meter, what, prompt)
                history.append(Message("assistant", turn.text))
    return meter


def turn_text(history: Sequence[Message]) -> str:
    """Return the candidate's last words."""
    return next(message.content for message in reversed(history) if message.role == "user")


async def _read(meter: Metered, what: str, messages: Sequence[Message]) -> None:
    async for _ in meter.read(what, alternating(list(messages)), TOKENS):
        pass


async def judging(base_url: str, name: str, prompt: Sequence[Message], points: int) -> dict[str, Any]:
    """Time judging on one warm trunk, with so many points a call; as many tokens are written each way."""
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", timeout=600)
    messages: Any = [{"role": m.role, "content": m.content} for m in alternating(list(prompt))]

    async def write(tokens: int) -> None:
        await client.chat.completions.create(
            model=name, messages=messages, max_tokens=tokens, extra_body={"ignore_eos": True, "min_tokens": tokens}
        )

    await write(1)
    seconds: dict[int, list[float]] = {size: [] for size in (1, 2, 3, points)}
    for _ in range(3):
        for size, found in seconds.items():
            started = time.perf_counter()
            sizes = [min(size, points - first) for first in range(0, points, size)]
            await asyncio.gather(*(write(POINT_TOKENS * n) for n in sizes))
            found.append(time.perf_counter() - started)
    await client.close()
    return {
        "points": points,
        "tokens_a_point": POINT_TOKENS,
        "seconds_by_points_a_call": {size: round(statistics.median(found), 2) for size, found in seconds.items()},
    }


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
    prompts = [tokens(base_url, alternating(call.messages), meter.name) for call in meter.calls]
    usages = [call.usage for call in meter.calls]
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
            {
                "what": call.what,
                "prompt": call.usage.prompt,
                "cached": call.usage.cached,
                "prefilled": call.usage.prefilled,
                "ttft_ms": round(call.usage.first_token_ms, 1),
            }
            for call in meter.calls
        ],
    }


def last(found: dict[str, Any], what: str) -> float:
    """Return the first-token time of the last call of a kind, in milliseconds."""
    return next(float(turn["ttft_ms"]) for turn in reversed(found["turns"]) if turn["what"] == what)


async def measure(size: str, questions: int, points_a_call: int) -> dict[str, Any]:
    """Play both layouts on one server."""
    library = open_library(data_folder("knowledge"))
    judged = [card for card in library.cards.values() if not card.computed]
    cards = judged[:: max(1, len(judged) // questions)][:questions]
    with tempfile.TemporaryDirectory() as folder, served(size, Path(folder)) as base_url:
        settings = Settings(
            home=Path(folder) / "home",
            engine="llm",
            llm_base_url=base_url,
            llm_timeout=600,
            llm_points_a_call=points_a_call,
        )
        search = index_for(settings, library)
        # A first call warms the server up; its salt is nobody else's.
        name = (await look_at(base_url, key="", seconds=10)).models[0]
        model = OpenAIModel(base_url=base_url, name=name, api_key="", timeout=600, cache_salt=secrets.token_urlsafe(16))
        async for _ in model.stream([Message("user", "Hello. " * 500)], max_tokens=TOKENS):
            pass
        meter, _, said = await ours(settings, library, cards)
        mine = figures(meter, base_url)
        plain = figures(await ordinary(model, library, search, said), base_url)
        branch = next(call.messages for call in reversed(meter.calls) if call.what == "judge")
        ways = await judging(base_url, name, branch, points=5)
        await model.close()
        _, own, _ = await ours(settings, library, cards, instant=True)
    shown(mine, plain)
    kinds = ("ask", "judge", "remark")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
        "model": f"Qwen3 architecture, {size} parameters, random weights",
        "questions": questions,
        "answers": len(own),
        "block_tokens": 32,
        "prefilled_over_distinct": mine["prefilled_over_distinct"],
        "ttft_ratio_last_question": round(last(plain, "ask") / last(mine, "ask"), 2),
        "ttft_ratio_last_question_read_ahead_counted": round(
            last(plain, "ask") / (last(mine, "ask") + last(mine, "read ahead")), 2
        ),
        "ttft_ratio_last_turn": round(sum(last(plain, k) for k in kinds) / sum(last(mine, k) for k in kinds), 2),
        "prefilled_ratio": round(plain["prefilled_tokens"] / mine["prefilled_tokens"], 2),
        "session_tokens": mine["longest_prompt"],
        "own_ms_per_turn": round(statistics.median(own), 1),
        "points_a_call": points_a_call,
        "judging": ways,
        "ours": mine,
        "ordinary": plain,
        "turns": mine["turns"],
    }


def shown(mine: dict[str, Any], plain: dict[str, Any]) -> None:
    """Print a table: a line a call, ours beside the ordinary one."""
    heads = ("call", "prompt", "cached", "prefilled", "first token ms", "ordinary: prefilled", "first token ms")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", file=sys.stderr)
    rows = iter(plain["turns"])
    before = ""
    for turn in mine["turns"]:
        # What the ordinary chat does not do, or does in one call, has no line of its own.
        alone = turn["what"] == "read ahead" or (turn["what"] == before == "judge")
        other = {"prefilled": "", "ttft_ms": ""} if alone else next(rows)
        before = turn["what"]
        cells = [turn[name] for name in ("what", "prompt", "cached", "prefilled", "ttft_ms")]
        print("|", " | ".join(map(str, [*cells, other["prefilled"], other["ttft_ms"]])), "|", file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("5m", "100m", "350m"), default="100m")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--points-a-call", type=int, default=Settings().llm_points_a_call)
    wanted = parser.parse_args()
    print(json.dumps(asyncio.run(measure(wanted.size, wanted.questions, wanted.points_a_call)), indent=2))


if __name__ == "__main__":
    main()
