"""The transcript: an append-only, hash-chained list of turns; nothing is ever edited."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from interviewer.errors import SessionError

Kind = Literal[
    "opened",
    "planned",
    "question",
    "answer",
    "move",
    "grade",
    "follow_up",
    "hint",
    "reference",
    "feedback",
    "self_assessment",
    "closed",
]
Role = Literal["interviewer", "candidate", "system"]
CANDIDATE: frozenset[Kind] = frozenset({"answer", "move", "self_assessment"})
SYSTEM: frozenset[Kind] = frozenset({"opened", "planned", "grade", "closed"})
START = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One thing that was said or decided."""

    number: int
    """Place in the transcript, from 0."""
    kind: Kind
    text: str
    """What was said; empty for turns that nobody speaks."""
    data: dict[str, Any]
    at: datetime
    parent: str
    """Hash of the turn before."""

    @property
    def role(self) -> Role:
        """Who said it."""
        if self.kind in CANDIDATE:
            return "candidate"
        return "system" if self.kind in SYSTEM else "interviewer"

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything in the turn and the hash before it."""
        body = [self.number, self.kind, self.text, self.data, self.at.isoformat(), self.parent]
        return hashlib.sha256(canonical(body).encode()).hexdigest()


def canonical(data: Any) -> str:
    """Return JSON whose bytes never change for equal data."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Transcript:
    """The turns of a session."""

    session_id: str
    turns: tuple[Turn, ...] = ()

    def next(self, kind: Kind, *, text: str = "", data: dict[str, Any] | None = None, at: datetime) -> Turn:
        """Return the turn that would follow; it is not in the transcript yet."""
        parent = self.turns[-1].hash if self.turns else START
        return Turn(number=len(self.turns), kind=kind, text=text, data=data or {}, at=at, parent=parent)

    def plus(self, turn: Turn) -> "Transcript":
        """Return the transcript with one more turn.

        Raises:
            SessionError: the turn does not follow the last one.
        """
        if turn.number != len(self.turns) or turn.parent != (self.turns[-1].hash if self.turns else START):
            raise SessionError(f"turn {turn.number} of session {self.session_id} does not follow the one before it")
        return Transcript(self.session_id, (*self.turns, turn))

    def of(self, *kinds: Kind) -> Iterator[Turn]:
        """Return the turns of some kinds, in order."""
        return (turn for turn in self.turns if turn.kind in kinds)
