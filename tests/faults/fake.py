"""A model server that plays well or badly: FastAPI under a real uvicorn, on a port of its own."""

import asyncio
import json
import math
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

MODEL = "fake-model"
ANSWER = re.compile(r"<answer (\w+)>\n(.*?)\n</answer \1>", re.S)


class FakeServer:
    """Replies sensibly; `faults` says how the next calls go wrong, one each, the last one from then on."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.next_tokens: list[tuple[str, float]] = [("A", 0.9), ("B", 0.05), ("C", 0.04), ("D", 0.01)]
        """Likeliest first tokens and their probabilities; a server that does not tell has none."""
        self.cancelled = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._server = uvicorn.Server(uvicorn.Config(self._app(), port=self.port, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    async def asked(self, times: int) -> None:
        """Wait until so many chats were asked for."""
        await _until(lambda: len(self.requests) >= times)

    async def saw_a_cancel(self) -> None:
        """Wait until a client went away in the middle of a reply."""
        await _until(lambda: self.cancelled > 0)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        async def models() -> dict[str, Any]:
            return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "test"}]}

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            body = await request.json()
            self.requests.append(body)
            fault = "" if not self.faults else self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
            return await self._reply(fault, body)

        return app

    async def _reply(self, fault: str, body: dict[str, Any]) -> Response:
        if fault in ERRORS:
            status, kind, headers = ERRORS[fault]
            error = {"message": f"fake {fault}", "type": kind, "param": None, "code": None}
            return JSONResponse({"error": error}, status_code=status, headers=headers)
        if body.get("logprobs"):
            await asyncio.sleep(60 if fault == "hang" else 0)
            return JSONResponse(self._weighed())
        text = WRONG.get(fault) or good(body["messages"])
        if fault == "raw line breaks":
            text = re.sub(r'("reason": ?")', r"\1\n", text)
        if fault == "truncated":
            text = text[: len(text) // 2]
        return StreamingResponse(self._chunks(text, fault), media_type="text/event-stream")

    def _weighed(self) -> dict[str, Any]:
        rows = [{"token": token, "logprob": math.log(share), "bytes": None} for token, share in self.next_tokens]
        told = {"content": [{**rows[0], "top_logprobs": rows}], "refusal": None} if rows else None
        text = rows[0]["token"] if rows else "A"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [{**choice, "logprobs": told}],
            "usage": {**USAGE, "completion_tokens": 1, "total_tokens": 101},
        }

    async def _chunks(self, text: str, fault: str) -> AsyncIterator[str]:
        try:
            if fault == "hang":
                await asyncio.sleep(60)
            base = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
            size = 1 if fault == "drip" else 20
            for first in range(0, max(len(text), 1), size):
                delta = {"role": "assistant", "content": text[first : first + size]}
                yield f"data: {json.dumps({**base, 'choices': [{'index': 0, 'delta': delta, 'finish_reason': None}]})}\n\n"
                await asyncio.sleep(0.3 if fault == "drip" else 0)
                if fault == "reset" and first:
                    raise ConnectionResetError
            done = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            yield f"data: {json.dumps(done)}\n\n"
            yield f"data: {json.dumps({**base, 'choices': [], 'usage': USAGE})}\n\n"
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")


USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 5,
    "total_tokens": 105,
    "prompt_tokens_details": {"cached_tokens": 96},
}
ERRORS: dict[str, tuple[int, str, dict[str, str]]] = {
    "401": (401, "invalid_request_error", {}),
    "404": (404, "NotFoundError", {}),
    "429": (429, "rate_limit", {"Retry-After": "30"}),
    "500": (500, "InternalServerError", {}),
    "overflow": (400, "BadRequestError", {}),
}
WRONG = {
    "schema": '{"grade": 7}',
    "prose": "I think the candidate did rather well on the whole, seven out of ten.",
    "empty": " ",
    "language": "Это ответ на другом языке?",
    "huge": "blah " * 2_000_000,
    "ids": '{"points": [{"point": 99, "evidence": [], "reason": "", "against": "", "verdict": "covered"}]}',
}


def good(messages: list[dict[str, str]]) -> str:
    """Reply as a good model would: it finds in the prompt what it needs."""
    said = "\n".join(m["content"] for m in messages)
    last = messages[-1]["content"].splitlines()[-1]
    if not last.startswith("DIRECTION"):
        return "Yes."
    direction, *numbers = re.findall(r"(?<=DIRECTION )[A-Z-]+|\d+", last)
    if direction == "JUDGE":
        answer = ANSWER.findall(said)[-1][1]
        against = next((claim for claim in wrong_claims(said, numbers[0]) if claim in answer), "")
        found = {
            "evidence": [(against or answer)[:60]],
            "reason": "It says so.",
            "against": against[:160],
            "verdict": "contradicted" if against else "covered",
        }
        return json.dumps({"points": [{"point": int(number), **found} for number in numbers[1:]]})
    chinese = "语言：中文" in messages[1]["content"]
    if direction == "ASK":
        asked = re.findall(rf"^CARD {numbers[0]}\n(?:question: |题目：)(.*)$", said, re.M)[-1]
        return f"{'先说说看：' if chinese else 'Tell me: '}{asked}"
    if direction == "FOLLOW-UP":
        return "那另外一面呢？" if chinese else "And what about the other side of it?"
    return "开头讲得很清楚。" if chinese else "That is a clear start."


def wrong_claims(said: str, number: str) -> list[str]:
    """Return the wrong claims on a card of the prompt."""
    card = re.search(rf"^CARD {number}\n(?:question: |题目：).*?(?=^(?:CARD|DIRECTION|<answer)|\Z)", said, re.M | re.S)
    return re.findall(r"^- (.+)$", card[0], re.M) if card else []
