"""The interview on a real vLLM server: what is reused, what is not shared, and what happens when it goes."""

import asyncio
import json
import re
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from interviewer.desk import interview_desk
from interviewer.engines.judging import JudgeReply, LLMJudge
from interviewer.engines.llm import LLMEngine
from interviewer.engines.messages import alternating
from interviewer.engines.model import Message, T, Usage
from interviewer.engines.offline import OfflineEngine
from interviewer.engines.openai import OpenAIModel
from interviewer.interview import Interview
from interviewer.language import LANGS, Lang
from interviewer.progress import SessionSettings, progress
from interviewer.settings import Settings, data_folder
from tests.playing import drain
from tests.vllm.conftest import serving

BLOCK = 32
"""Tokens a KV block, as serve/cpu.yaml sets it."""
TEMPLATES = ("qwen3-nonthinking", "chatml", "llama3")
ANSWERS: dict[Lang, tuple[str, ...]] = {
    "en": ("The base stays frozen and BA is added to it.", "I don't know", "The score decays with distance, I think."),
    "zh": ("基座冻结，把 BA 加上去。", "不知道", "好像是随距离衰减。"),
}


class Recorder:
    """The served model, with every prompt and its usage written down."""

    def __init__(self, model: OpenAIModel) -> None:
        self.name = model.name
        self.calls: list[tuple[list[Message], Usage]] = []
        self._model = model

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        async for piece in self._model.stream(messages, max_tokens=min(max_tokens, 24)):
            if isinstance(piece, Usage):
                self.calls.append((list(messages), piece))
            yield piece

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        reply, usage = await self._model.parse(messages, schema, max_tokens=max_tokens, temperature=temperature)
        self.calls.append((list(messages), usage))
        return reply, usage

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        shares, usage = await self._model.weigh(messages, options)
        self.calls.append((list(messages), usage))
        return shares, usage


@asynccontextmanager
async def recorded(settings: Settings) -> AsyncIterator[tuple[Interview, Recorder]]:
    async with interview_desk(settings) as interview:
        engine = interview.engine
        assert isinstance(engine, LLMEngine)
        recorder = Recorder(engine.model)  # type: ignore[arg-type]
        judge = LLMJudge(recorder, points_a_call=settings.llm_points_a_call)
        interview.engine = LLMEngine(judge, interview.library, OfflineEngine(interview.library.glossary))
        yield interview, recorder


async def play(interview: Interview, lang: Lang) -> str:
    cards = ("peft-lora-update", "rope-decay")
    session = await interview.open(SessionSettings(lang=lang, questions=2, cards=cards))
    await drain(interview.go_on(session))
    for answer in ANSWERS[lang] * 3:
        await interview.settled()
        if progress(await interview.store.transcript(session)).closed:
            break
        await drain(interview.answer(session, answer))
    return session


def post(base_url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        base_url.removesuffix("/v1") + path,
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def token_ids(base_url: str, messages: Sequence[Message], template: str | None = None) -> list[int]:
    """Return the prompt as vLLM itself renders and tokenizes it."""
    chat = [{"role": m.role, "content": m.content} for m in alternating(list(messages))]
    body: dict[str, Any] = {"model": "tiny", "messages": chat}
    if template:
        body["chat_template"] = (data_folder("serve") / "templates" / f"{template}.jinja").read_text("utf-8")
    tokens: list[int] = post(base_url, "/tokenize", body)["tokens"]
    return tokens


def blocks(length: int, ids: Sequence[int]) -> int:
    """Return how many tokens of a common prefix come from the cache: whole blocks, and never the last token."""
    return min(length, len(ids) - 1) // BLOCK * BLOCK


def common(one: Sequence[int], other: Sequence[int]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize("lang", LANGS)
async def test_whole_session_reuses_exactly_the_blocks_it_should(served: Settings, base_url: str, lang: Lang) -> None:
    async with recorded(served) as (interview, recorder):
        session = await play(interview, lang)
        assert progress(await interview.store.transcript(session)).closed
    assert len(recorder.calls) >= 6
    seen: list[tuple[list[int], Usage]] = []
    for messages, usage in recorder.calls:
        ids = token_ids(base_url, messages)
        assert usage.prompt == len(ids)
        assert usage.cached is not None
        shared = [(common(ids, other), len(other), cost.completion) for other, cost in seen]
        least = max((same for same, _, _ in shared), default=0)
        # What was generated is in the cache too, and is met again where a prompt goes on with the model's own words.
        most = max((same + said if same == whole else same for same, whole, said in shared), default=0)
        assert blocks(least, ids) <= usage.cached <= blocks(most, ids)
        seen.append((ids, usage))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("lang", LANGS)
async def test_prompt_of_a_turn_is_a_prefix_of_the_next(
    served: Settings, base_url: str, lang: Lang, template: str
) -> None:
    async with recorded(served) as (interview, recorder):
        await play(interview, lang)
    judging = [m for m, _ in recorder.calls if "\nDIRECTION JUDGE" in m[-1].content]
    ahead = [m for m, _ in recorder.calls if not m[-1].content.splitlines()[-1].startswith("DIRECTION")]
    trunk = [m for m, _ in recorder.calls if m not in judging and m not in ahead]
    assert judging
    assert len(ahead) == 1
    assert len(trunk) >= 4
    prompts = [token_ids(base_url, messages, template) for messages in trunk]
    for before, after in pairwise(prompts):
        assert after[: len(before)] == before
    header = len(token_ids(base_url, [Message("user", "")], template))
    for messages in ahead:
        # What is read ahead ends where the candidate's words will come: all but the turn's end is met again.
        read = token_ids(base_url, messages, template)
        assert max(common(read, prompt) for prompt in prompts) >= len(read) - header
    for messages in judging:
        if messages[-2].role == "assistant" and messages[-2].content.startswith("{"):
            continue  # a repair goes on from the branch, not from the trunk
        branch = token_ids(base_url, messages, template)
        # All but the judging direction, and the token that its first letters may share, comes from the trunk.
        tail = messages[-1].content[messages[-1].content.rindex("DIRECTION JUDGE") :]
        own = len(token_ids(base_url, [Message("user", tail)], template))
        assert max(common(branch, prompt) for prompt in prompts) >= len(branch) - own - 4


async def test_salts_do_not_share(base_url: str) -> None:
    messages = [
        Message("system", "Nobody may learn from timing what somebody else said. " * 40),
        Message("user", "Hi."),
    ]

    async def cached(salt: str) -> int | None:
        model = OpenAIModel(base_url=base_url, name="tiny", api_key="", timeout=60, cache_salt=salt)
        try:
            found = [piece async for piece in model.stream(messages, max_tokens=4)]
        finally:
            await model.close()
        assert isinstance(found[-1], Usage)
        return found[-1].cached

    assert await cached("tenant-one") == 0
    assert (await cached("tenant-one") or 0) > 100
    assert await cached("tenant-two") == 0


async def test_structured_output_fits_the_schema_even_from_random_weights(base_url: str) -> None:
    model = OpenAIModel(base_url=base_url, name="tiny", api_key="", timeout=120)
    reply, usage = await model.parse([Message("user", "DIRECTION JUDGE a")], JudgeReply, max_tokens=3000)
    await model.close()
    assert 1 <= len(reply.points) <= 8
    assert usage.completion > 0


async def test_cancel_reaches_the_server(base_url: str) -> None:
    model = OpenAIModel(base_url=base_url, name="tiny", api_key="", timeout=60)

    def running() -> float:
        with urllib.request.urlopen(base_url.removesuffix("/v1") + "/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(n) for n in re.findall(r"^vllm:num_requests_running\{[^}]*\} (\S+)", text, re.M))

    stream = model.stream([Message("user", "Talk on and on.")], max_tokens=8000)
    await anext(stream)
    assert running() == 1
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(50):
        if not running():
            break
        await asyncio.sleep(0.1)
    assert running() == 0
    await model.close()


async def test_server_killed_mid_session_and_the_session_goes_on(settings: Settings, tmp_path: Path) -> None:
    with serving(tmp_path / "mortal") as url:
        mortal = settings.model_copy(update={"engine": "llm", "llm_base_url": url, "llm_timeout": 20.0})
        async with interview_desk(mortal) as interview:
            session = await interview.open(SessionSettings(questions=1, cards=("peft-lora-update",)))
            await drain(interview.go_on(session))
            pid = post_mortem(url)
            assert pid
            turns = await drain(interview.answer(session, ANSWERS["en"][0]))
    grade = turns[1].data["grade"]
    assert grade["engine"] == "offline"
    assert grade["graded"]
    assert "judged offline" in grade["note"]
    assert turns[-1].kind in ("follow_up", "closed")


def post_mortem(base_url: str) -> int:
    """Kill the server that listens at an address, and return its process id."""
    import os
    import signal

    port = int(base_url.split(":")[2].split("/")[0])
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"vllm.entrypoints.openai.api_server" in command and str(port).encode() in command:
            os.kill(int(entry.name), signal.SIGKILL)
            return int(entry.name)
    return 0
