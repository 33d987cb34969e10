"""What the interview needs from an engine, and nothing more."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from interviewer.cards import Card, Point
from interviewer.grading.grade import Grade, Judge
from interviewer.language import Lang
from interviewer.library import Passage
from interviewer.planner import Why
from interviewer.transcript import Transcript


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Put a card's question."""

    card: Card
    number: int
    """Place in the session, from 1."""
    total: int
    topic: str
    """Title of the card's topic in the language of the session."""
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Ask about one point that was missed, or that the judge can't tell, without giving it away."""

    card: Card
    point: Point
    unclear: str = ""
    """The candidate's words that the judge can't tell; empty when the point was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Say what the grade was."""

    card: Card
    grade: Grade
    cites: tuple[str, ...]
    """Passages the question stands on."""


Cue = Ask | FollowUp | Feedback


@dataclass(frozen=True, slots=True)
class Kept:
    """What an engine wants kept with the turn that it spoke: how it came about, and what it cost."""

    data: dict[str, Any]


class Engine(Judge, Protocol):
    """Who speaks and judges."""

    def brief(self, card: Card, *, transcript: Transcript, lang: Lang) -> dict[str, Any]:
        """Return what is kept with the choice of a card, so that it can be read before its turn comes."""
        ...

    async def draft(self, about: str, passages: Sequence[Passage], *, lang: Lang) -> Card | None:
        """Draft a card on the candidate's words from passages of the notes; None where that can't be had."""
        ...

    async def read_ahead(self, *, transcript: Transcript, lang: Lang) -> None:
        """Read what was said so far while the candidate thinks; never fails for want of a model."""
        ...

    def speak(self, cue: Cue, *, transcript: Transcript, lang: Lang) -> AsyncIterator[str | Kept]:
        """Say what a cue calls for, piece by piece."""
        ...
