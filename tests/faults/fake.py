"""A model server that plays well or badly: FastAPI under a real uvicorn, on a port of its own."""

import asyncio
import json
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
        text = WRONG.get(fault) or good(body["messages"])
        if fault == "truncated":
            text = text[: len(text) // 2]
        return StreamingResponse(self._chunks(text, fault), media_type="text/event-stream")

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
            usage = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
            yield f"data: {json.dumps(done)}\n\n"
            yield f"data: {json.dumps({**base, 'choices': [], 'usage': {**usage, 'prompt_tokens_details': {'cached_tokens': 96}}})}\n\n"
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
    "ids": '{"points": [{"point": 99, "evidence": [], "reason": "", "verdict": "covered"}]}',
}


def good(messages: list[dict[str, str]]) -> str:
    """Reply as a good model would: it finds in the prompt what it needs."""
    said = "\n".join(m["content"] for m in messages)
    last = messages[-1]["content"].splitlines()[-1]
    if not last.startswith("DIRECTION"):
        return "Yes."
    direction, *numbers = re.findall(r"(?<=DIRECTION )[A-Z-]+|\d+", last)
    if direction == "JUDGE":
        evidence = [ANSWER.findall(said)[-1][1][:60]]
        rows = [
            {"point": int(n), "evidence": evidence, "reason": "It says so.", "verdict": "covered"} for n in numbers[1:]
        ]
        return json.dumps({"points": rows})
    chinese = "语言：中文" in messages[1]["content"]
    if direction == "ASK":
        asked = re.findall(rf"^CARD {numbers[0]}\n(?:question: |题目：)(.*)$", said, re.M)[-1]
        return f"{'先说说看：' if chinese else 'Tell me: '}{asked}"
    if direction == "FOLLOW-UP":
        return "那另外一面呢？" if chinese else "And what about the other side of it?"
    return "开头讲得很清楚。" if chinese else "That is a clear start."
