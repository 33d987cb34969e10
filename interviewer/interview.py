"""The interview: a LangGraph state machine whose every step is written down before the next one starts.

    ask ──▶ wait (interrupt) ──▶ grade ──▶ decide ──▶ wait | ask | report

The transcript in the store is the truth; the checkpoint holds only where the graph waits. Each node looks at the
transcript first, so that a step repeated after a crash does nothing twice.
"""

import asyncio
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict
from weakref import WeakValueDictionary

# Checkpoints hold plain JSON data only; refuse to unpickle anything else (CVE-2026-28277).
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from interviewer.cards import Card
from interviewer.computed.draw import template
from interviewer.engines.base import Ask, Cue, Engine, Feedback, FollowUp, Kept
from interviewer.errors import AnswerRefused, SessionError, SessionMovedOn, unwritable
from interviewer.grading.gates import CONTROL, MAX_CHARACTERS
from interviewer.grading.grade import task_of
from interviewer.grading.pipeline import grade
from interviewer.language import Lang
from interviewer.library import Library
from interviewer.planner import Plan, Why, Wish, candidates, plan
from interviewer.progress import (
    Asked,
    Move,
    Progress,
    SessionSettings,
    changed_claims,
    follow_up_point,
    open_to_self_assessment,
    progress,
    unclear_words,
)
from interviewer.store import Store
from interviewer.transcript import Kind, Transcript, Turn

Clock = Callable[[], datetime]
RECURSION_LIMIT = 50
Next = Literal["ask", "wait", "grade", "decide", "report"]


class State(TypedDict):
    """What a checkpoint holds."""

    session_id: str
    next: Next


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of speech, as it is spoken; the whole follows as a Turn."""

    text: str


Event = Delta | Turn


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class Interview:
    """Sessions of one library with one engine."""

    def __init__(self, library: Library, store: Store, engine: Engine, saver: AsyncSqliteSaver, *, clock: Clock = now):
        self.library = library
        self.store = store
        self.engine = engine
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reading: set[asyncio.Task[None]] = set()
        self._graph = self._compile(saver)

    async def open(self, wish: SessionSettings) -> str:
        """Write a new session and return its id; nothing is asked yet.

        Raises:
            NothingFound: no card fits the wish.
        """
        if not wish.cards:
            candidates(self.library, _wish(wish))
        session_id = secrets.token_hex(4)
        at = self._clock()
        await self.store.create(session_id, at=at)
        data = {"settings": wish.as_json(), "engine": self.engine.name}
        await self.store.append(session_id, Transcript(session_id).next("opened", data=data, at=at))
        return session_id

    async def go_on(self, session_id: str) -> AsyncIterator[Event]:
        """Take every step up to the candidate's next turn; on a session that waits already, none."""
        async with self._lock(session_id):
            async for event in self._steps(session_id):
                yield event

    async def _steps(self, session_id: str) -> AsyncIterator[Event]:
        transcript = await self.store.transcript(session_id)
        where = progress(transcript)
        if where.closed:
            return
        config = self._config(session_id)
        snapshot = await self._graph.aget_state(config)
        step: Any = {"session_id": session_id, "next": "ask"}
        if snapshot.next:
            waits = any(task.interrupts for task in snapshot.tasks)
            if waits and where.pending is None:
                return
            step = Command(resume=True) if waits else None
        try:
            # The transcript is written at every step; a checkpoint is only needed where the graph stops.
            async for _mode, event in self._graph.astream(step, config, stream_mode=["custom"], durability="exit"):
                yield event
        except sqlite3.Error as error:  # of the checkpointer; the store raises errors of its own
            raise unwritable(self.store.path.parent, error) from error

    async def answer(self, session_id: str, text: str) -> AsyncIterator[Event]:
        """Write the answer down, then grade it and go on.

        Raises:
            AnswerRefused: it is empty or too long; nothing was written.
        """
        clean = CONTROL.sub("", text).strip()
        if not clean:
            raise AnswerRefused("the answer is empty; say something, or skip the question")
        if len(clean) > MAX_CHARACTERS:
            raise AnswerRefused(
                f"the answer has {len(clean):,} characters; at most {MAX_CHARACTERS:,} are accepted, shorten it"
            )
        async for event in self._say(session_id, "answer", text=clean):
            yield event

    async def assess(self, session_id: str, claimed: Collection[tuple[str, str]]) -> Transcript:
        """Write down which points the candidate says were said, of all that the judge couldn't tell, by card and point.

        They count in no score; the report shows them apart.

        Raises:
            SessionError: a point is not open to it; nothing was written.
        """
        async with self._lock(session_id):
            transcript = await self.store.transcript(session_id)
            for card, points in changed_claims(open_to_self_assessment(transcript, self.library.cards), claimed):
                data = {"card": card, "claimed": points}
                turn = transcript.next("self_assessment", data=data, at=self._clock())
                await self.store.append(session_id, turn)
                transcript = transcript.plus(turn)
            return transcript

    async def move(self, session_id: str, move: Move) -> AsyncIterator[Event]:
        """Ask for a hint, skip, go back, see the reference answer, or stop."""
        async for event in self._say(session_id, "move", data={"move": move}):
            yield event

    async def _say(
        self, session_id: str, kind: Kind, *, text: str = "", data: dict[str, Any] | None = None
    ) -> AsyncIterator[Event]:
        if (lock := self._lock(session_id)).locked():
            raise SessionMovedOn(session_id)
        async with lock:
            transcript = await self.store.transcript(session_id)
            where = progress(transcript)
            if where.closed:
                raise SessionError(f"session {session_id} is over; `interviewer report {session_id}` shows it")
            if where.pending or not where.asked:
                # It stopped half-way: what is said now was not said to the question that comes next.
                async for event in self._steps(session_id):
                    yield event
                raise SessionMovedOn(session_id)
            turn = transcript.next(kind, text=text, data=data, at=self._clock())
            await self.store.append(session_id, turn)
            yield turn
            async for event in self._steps(session_id):
                yield event

    def _lock(self, session_id: str) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    def _compile(self, saver: AsyncSqliteSaver) -> Any:
        graph = StateGraph(State)
        graph.add_node("ask", self._ask)
        graph.add_node("wait", _wait)
        graph.add_node("grade", self._grade)
        graph.add_node("decide", self._decide)
        graph.add_node("report", self._report)
        graph.add_edge(START, "ask")
        for node in ("ask", "wait", "grade", "decide"):
            graph.add_conditional_edges(node, lambda state: state["next"], ["ask", "wait", "grade", "decide", "report"])
        graph.add_edge("report", END)
        return graph.compile(checkpointer=saver)

    def _config(self, session_id: str) -> Any:
        return {"configurable": {"thread_id": session_id}, "recursion_limit": RECURSION_LIMIT}

    async def _ask(self, state: State) -> dict[str, Next]:
        transcript = await self.store.transcript(state["session_id"])
        where = progress(transcript)
        current = where.current
        if current and not current.done:
            return {"next": "wait"}
        if left := _left(where):
            await self._question(transcript, where, self._card(left), why="left")
            return {"next": "wait"}
        chosen = await self._next(transcript, where)
        if chosen is None:
            return {"next": "report"}
        transcript = await self._question(transcript, where, chosen.card, why=chosen.why)
        await self._plan_ahead(transcript)
        return {"next": "wait"}

    async def _next(self, transcript: Transcript, where: Progress) -> Plan | None:
        """Return the card that comes next; None when the session has all its questions."""
        if len(where.card_ids) >= where.settings.questions:
            return None
        if where.planned and (card := self.library.cards.get(where.planned.data["card"])):
            return Plan(card=card, why=where.planned.data["why"])
        return plan(
            self.library, _wish(where.settings), asked=where.card_ids, last_scores=await self._last_scores(transcript)
        )

    async def _plan_ahead(self, transcript: Transcript) -> None:
        """Choose the next card now, so that the engine can read it while the candidate thinks about this one."""
        where = progress(transcript)
        lang = where.settings.lang
        if where.planned or (chosen := await self._next(transcript, where)) is None:
            return
        kept = self.engine.brief(chosen.card, transcript=transcript, lang=lang)
        data = {"card": chosen.card.id, "why": chosen.why, "passages": self._cites(chosen.card, lang), **kept}
        transcript = await self._write(transcript, "planned", data=data)
        reading = asyncio.create_task(self.engine.read_ahead(transcript=transcript, lang=lang))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    def _cites(self, card: Card, lang: Lang) -> list[str]:
        return [passage.cite for passage in self.library.passages_of(card, lang)]

    async def settled(self) -> None:
        """Wait until the engine has read ahead, as it does while a candidate thinks."""
        await asyncio.gather(*self._reading)

    async def close(self) -> None:
        """End what still runs in the background."""
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _grade(self, state: State) -> dict[str, Next]:
        transcript = await self.store.transcript(state["session_id"])
        where = progress(transcript)
        current = where.current
        if where.pending is None or where.pending.kind != "answer" or current is None:
            return {"next": "decide"}
        card = self._card(current)
        lang = where.settings.lang
        task = task_of(card, where.pending.text, lang=lang)
        result = await grade(task, judge=self.engine, glossary=self.library.glossary, transcript=transcript)
        transcript = await self._write(
            transcript, "grade", data={"card": card.id, "answer": where.pending.number, "grade": result.as_json()}
        )
        return {"next": "decide"}

    async def _decide(self, state: State) -> dict[str, Next]:
        transcript = await self.store.transcript(state["session_id"])
        where = progress(transcript)
        current = where.current
        if current is None:
            return {"next": "ask"}
        if where.pending is not None and where.pending.kind == "move":
            return {"next": await self._moved(transcript, where, where.pending.data["move"])}
        last = next(turn for turn in reversed(transcript.turns) if turn.kind not in ("planned", "self_assessment"))
        if last.kind == "reference" and current.done:
            return {"next": "ask"}  # whoever has read the reference answer is not asked about it any more
        if last.kind in ("question", "follow_up", "hint", "reference"):
            return {"next": "wait"}
        card = self._card(current)
        if last.kind == "grade":
            transcript = await self._feedback(transcript, current, card, where.settings.lang)
        point = follow_up_point(current, card)
        if point is None:
            return {"next": "ask"}
        cue = FollowUp(card=card, point=card.point(point), unclear=unclear_words(current, card, point))
        await self._speak(transcript, "follow_up", cue, where.settings.lang, data={"card": card.id, "point": point})
        return {"next": "wait"}

    async def _report(self, state: State) -> dict[str, Next]:
        transcript = await self.store.transcript(state["session_id"])
        if not progress(transcript).closed:
            await self._write(transcript, "closed")
        return {"next": "report"}

    async def _moved(self, transcript: Transcript, where: Progress, move: Move) -> Next:
        current, lang = where.current, where.settings.lang
        assert current is not None
        card = self._card(current)
        if move == "stop":
            return "report"
        if move == "skip":
            return "ask"
        if move == "hint":
            number = min(current.hints, len(card.hints) - 1)
            await self._write(
                transcript, "hint", text=card.hints[number].get(lang), data={"card": card.id, "number": number}
            )
            return "wait"
        graded = next((asked for asked in reversed(where.asked) if asked.grades), None)
        if move == "reference":
            shown = self._card(graded) if graded else None
            text = shown.reference.get(lang) if shown else _NOTHING_GRADED[lang]
            await self._write(transcript, "reference", text=text, data={"card": shown.id if shown else ""})
            return "ask" if current.done else "wait"
        before = next((a for a in reversed(where.asked[:-1]) if a.card_id != current.card_id), None)
        await self._question(transcript, where, self._card(before) if before else card, why="back")
        return "wait"

    async def _question(self, transcript: Transcript, where: Progress, card: Card, *, why: Why) -> Transcript:
        lang = where.settings.lang
        number = where.card_ids.index(card.id) + 1 if card.id in where.card_ids else len(where.card_ids) + 1
        total, passages = where.settings.questions, self._cites(card, lang)
        data = {"card": card.id, "why": why, "number": number, "total": total, "passages": passages}
        topic = self.library.titles[card.topic].get(lang)
        cue = Ask(card=card, number=number, total=total, topic=topic, why=why)
        return await self._speak(transcript, "question", cue, lang, data=data)

    async def _feedback(self, transcript: Transcript, current: Asked, card: Card, lang: Lang) -> Transcript:
        result = current.grade(card)
        assert result is not None
        cue = Feedback(card=card, grade=result, cites=tuple(current.turn.data["passages"]))
        return await self._speak(transcript, "feedback", cue, lang, data={"card": card.id})

    async def _speak(
        self, transcript: Transcript, kind: Kind, cue: Cue, lang: Lang, *, data: dict[str, Any]
    ) -> Transcript:
        write = get_stream_writer()
        said = ""
        kept: dict[str, Any] = {}
        async for piece in self.engine.speak(cue, transcript=transcript, lang=lang):
            if isinstance(piece, Kept):
                kept |= piece.data
            else:
                said += piece
                write(Delta(piece))
        return await self._write(transcript, kind, text=said, data=data | kept)

    async def _write(
        self, transcript: Transcript, kind: Kind, *, text: str = "", data: dict[str, Any] | None = None
    ) -> Transcript:
        turn = transcript.next(kind, text=text, data=data, at=self._clock())
        await self.store.append(transcript.session_id, turn)
        get_stream_writer()(turn)
        return transcript.plus(turn)

    def _card(self, asked: Asked) -> Card:
        card = self.library.cards.get(asked.card_id)
        if card is None:
            raise SessionError(f"card {asked.card_id} is no longer in {self.library.folder}; put it back to go on")
        return card

    async def _last_scores(self, transcript: Transcript) -> dict[str, float]:
        """Return the last score of each card in the ten newest other sessions."""
        scores: dict[str, float] = {}
        for row in (await self.store.rows())[:10]:
            if row.id == transcript.session_id:
                continue
            for asked in progress(await self.store.transcript(row.id)).asked:
                card = self.library.cards.get(asked.card_id)
                result = asked.grade(card) if card else None
                if card and result and result.score is not None:
                    scores.setdefault(template(card.id), result.score)
        return scores


_NOTHING_GRADED: dict[Lang, str] = {
    "en": "The reference answer is shown once you have answered.",
    "zh": "先作答,评分之后才能看参考答案。",
}


def _wait(state: State) -> dict[str, Next]:
    """Wait for the candidate; the turn itself is in the store."""
    interrupt({"session_id": state["session_id"]})
    return {"next": "grade"}


def _left(where: Progress) -> Asked | None:
    """Return the question the candidate went back from and has not been asked again."""
    for number, asked in enumerate(where.asked):
        later = {other.card_id for other in where.asked[number + 1 :]}
        if asked.left and not asked.answers and asked.card_id not in later:
            return asked
    return None


def _wish(settings: SessionSettings) -> Wish:
    return Wish(topics=settings.topics, difficulty=settings.difficulty, cards=settings.cards, seed=settings.seed)


@asynccontextmanager
async def open_interview(library: Library, store: Store, engine: Engine, *, home: Path) -> AsyncIterator[Interview]:
    """Open the interview on a store, with its checkpoints beside it."""
    async with AsyncSqliteSaver.from_conn_string(str(home / "checkpoints.sqlite")) as saver:
        interview = Interview(library, store, engine, saver)
        try:
            yield interview
        finally:
            await interview.close()
