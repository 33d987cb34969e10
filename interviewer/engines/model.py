"""What the interviewer needs from a language model, and nothing more."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call cost."""

    prompt: int = 0
    """Tokens of the prompt."""
    cached: int | None = None
    """Of these, tokens whose KV came from the cache; None when the server does not say."""
    completion: int = 0
    first_token_ms: float = 0.0

    @property
    def prefilled(self) -> int | None:
        """Tokens of the prompt that had to be computed."""
        return None if self.cached is None else self.prompt - self.cached

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**asdict(self), "first_token_ms": round(self.first_token_ms, 1)}


class ChatModel(Protocol):
    """A chat model behind an OpenAI-compatible server."""

    name: str

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> AsyncIterator[str | Usage]:
        """Reply piece by piece; the usage comes last.

        Raises:
            ModelUnavailable: the server does not answer.
            ModelError: it answers with an error.
        """
        ...

    async def parse(
        self, messages: Sequence[Message], schema: type[T], *, max_tokens: int, temperature: float = 0.0
    ) -> tuple[T, Usage]:
        """Reply with JSON that fits a schema.

        Raises:
            BadModelOutput: the reply does not fit.
            ModelError: as `stream`.
        """
        ...

    async def weigh(self, messages: Sequence[Message], options: Sequence[str]) -> tuple[dict[str, float], Usage]:
        """Return how likely each option is as the next token, summing to 1; nothing where the server does not say.

        Raises:
            ModelError: as `stream`.
        """
        ...
