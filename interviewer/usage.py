"""What the calls of a model cost: per turn, and summed over a session."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interviewer.cards import Bilingual
from interviewer.language import Lang
from interviewer.transcript import Transcript, Turn

LINE = Bilingual(
    en="{cached} of {prompt} prompt tokens came from the KV cache · first token after {first:.0f} ms",
    zh="提示的 {prompt} 个 token 里有 {cached} 个来自 KV 缓存 · 首个 token 用时 {first:.0f} 毫秒",
)
UNKNOWN = Bilingual(en="? (the server does not say)", zh="未知（服务器没有报告）")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Tokens of some calls."""

    calls: int
    prompt: int
    cached: int | None
    """None when the server does not say."""
    completion: int
    first_token_ms: float
    """The slowest first token."""


def spent(turn: Turn) -> Cost | None:
    """Return what a turn cost; None when no model was asked."""
    return _sum([*turn.data.get("usage", ()), *turn.data.get("grade", {}).get("usage", ())])


def spent_in(transcript: Transcript) -> Cost | None:
    """Return what a session cost; None when no model was asked."""
    return _sum(
        row
        for turn in transcript.turns
        for row in (*turn.data.get("usage", ()), *turn.data.get("grade", {}).get("usage", ()))
    )


def cost_line(cost: Cost, lang: Lang) -> str:
    """Return the small line shown beside a turn."""
    cached = UNKNOWN.get(lang) if cost.cached is None else cost.cached
    return LINE.get(lang).format(cached=cached, prompt=cost.prompt, first=cost.first_token_ms)


def _sum(rows: Iterable[dict[str, Any]]) -> Cost | None:
    found = list(rows)
    if not found:
        return None
    cached = [row["cached"] for row in found]
    return Cost(
        calls=len(found),
        prompt=sum(row["prompt"] for row in found),
        cached=None if None in cached else sum(cached),
        completion=sum(row["completion"] for row in found),
        first_token_ms=max(row["first_token_ms"] for row in found),
    )
