"""The adapter to OpenAI-compatible servers: LangChain's chat model behind `ChatModel`."""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import httpx2
import openai
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr, ValidationError

from interviewer.engines.model import Message, T, Usage
from interviewer.errors import BadModelOutput, ModelError, ModelUnavailable

TOP_TOKENS = 20
LEAST_MASS = 0.5
"""Probability that the options must have together; a model that would rather say something else gives no opinion."""
KINDS: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
MAX_REPLY_CHARACTERS = 40_000
"""Nothing that is asked for is longer; a reply that goes on is cut off."""


class OpenAIModel:
    """A served chat model; `close` lets go of its connections."""

    def __init__(
        self, *, base_url: str, name: str, api_key: str, timeout: float, cache_salt: str = "", temperature: float = 0.2
    ) -> None:
        self.name = name
        self._url = base_url
        self._seconds = timeout
        self._extra = {"cache_salt": cache_salt} if cache_salt else {}
        self._client = httpx2.AsyncClient(timeout=timeout)
        self._chat = ChatOpenAI(
            model=name,
            base_url=base_url,
            api_key=SecretStr(api_key or "none"),
            timeout=timeout,
            max_retries=1,
            http_async_client=self._client,
            stream_usage=True,
            temperature=temperature,
            extra_body=self._extra,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        """Reply piece by piece; the usage comes last."""
        async with aclosing(self._pieces(messages, max_tokens=max_tokens)) as pieces:
            async for piece in pieces:
                yield piece

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        """Reply with JSON that fits a schema; streamed, so that a cancel reaches the server."""
        asked = {
            "type": "json_schema",
            "json_schema": {"name": schema.__name__, "schema": schema.model_json_schema(), "strict": True},
        }
        reply = ""
        usage = Usage()
        # In the body, not as LangChain's own argument: with that, the usage at the end of the stream is lost.
        body = {**self._extra, "response_format": asked}
        pieces = self._pieces(messages, max_tokens=max_tokens, temperature=temperature, extra_body=body)
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Usage):
                    usage = piece
                else:
                    reply += piece
        try:
            # Not strict: models leave line breaks in strings as they are, grammar or not.
            return schema.model_validate(json.loads(_json_in(reply), strict=False)), usage
        except ValueError as error:
            raise BadModelOutput(
                f"{self.name} replied with something else than asked: {_wrong(error)}", reply=reply[:2000]
            ) from error

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        """Return how likely each option is as the next token; nothing where the server gives no log-probabilities."""
        started = time.perf_counter()
        with self._errors():
            async with asyncio.timeout(self._seconds):
                try:
                    reply = await self._chat.bind(logprobs=True, top_logprobs=TOP_TOKENS).ainvoke(
                        _converted(messages), max_tokens=1, temperature=0, extra_body=self._extra
                    )
                except (openai.BadRequestError, openai.PermissionDeniedError):
                    # How servers say that they don't tell; what else is wrong, the judge's own call meets as well.
                    return {}, Usage()
            told = (reply.response_metadata.get("logprobs") or {}).get("content") or [{}]
            mass = dict.fromkeys(options, 0.0)
            for row in told[0].get("top_logprobs") or []:
                if (token := row["token"].strip()) in mass:
                    mass[token] += math.exp(row["logprob"])
        total = sum(mass.values())
        usage = (
            _usage(reply.usage_metadata, 1000 * (time.perf_counter() - started)) if reply.usage_metadata else Usage()
        )
        return ({option: share / total for option, share in mass.items()} if total >= LEAST_MASS else {}), usage

    async def _pieces(self, messages: Sequence[Message], **options: Any) -> AsyncGenerator[str | Usage, None]:
        started = time.perf_counter()
        first = 0.0
        length = 0
        usage = Usage()
        with self._errors():
            # The time-out is for the whole call: a server that drips a letter a second is not answering either.
            async with (
                asyncio.timeout(self._seconds),
                aclosing(self._chat.astream(_converted(messages), **options)) as chunks,  # type: ignore[type-var]
            ):
                async for chunk in chunks:
                    if text := chunk.text:
                        first = first or 1000 * (time.perf_counter() - started)
                        length += len(text)
                        if length > MAX_REPLY_CHARACTERS:
                            raise ModelError(f"{self.name} does not stop talking; its reply was cut off")
                        yield text
                    if chunk.usage_metadata:
                        usage = _usage(chunk.usage_metadata, first)
        yield usage

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (openai.APIConnectionError, httpx2.TransportError) as error:
            raise ModelUnavailable(f"the model server at {self._url} does not answer: {error or 'time-out'}") from error
        except (openai.RateLimitError, openai.InternalServerError) as error:
            raise ModelUnavailable(f"the model server at {self._url} is busy or broken: {_said(error)}") from error
        except openai.AuthenticationError as error:
            raise ModelError(f"the model server at {self._url} refuses the key; set INTERVIEWER_LLM_API_KEY") from error
        except openai.NotFoundError as error:
            raise ModelError(
                f"the model server at {self._url} has no model {self.name!r}; set INTERVIEWER_LLM_MODEL"
            ) from error
        except TimeoutError as error:
            raise ModelUnavailable(f"the model server at {self._url} took longer than {self._seconds:g} s") from error
        except (openai.OpenAIError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"the model server at {self._url} answered with an error: {_said(error)}") from error


def _wrong(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return f"Invalid JSON: {error}"
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))} {first['msg']}"


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _converted(messages: Sequence[Message]) -> list[BaseMessage]:
    return [KINDS[message.role](message.content) for message in messages]


def _usage(metadata: Any, first: float) -> Usage:
    cached = (metadata.get("input_token_details") or {}).get("cache_read")
    return Usage(
        prompt=metadata["input_tokens"], cached=cached, completion=metadata["output_tokens"], first_token_ms=first
    )


def _json_in(reply: str) -> str:
    """Return the JSON object of a reply that may have prose or a code fence around it."""
    start, end = reply.find("{"), reply.rfind("}")
    return reply[start : end + 1] if 0 <= start < end else reply
