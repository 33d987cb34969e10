"""Where a session stands: everything is derived from its transcript."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from interviewer.cards import Bilingual, Card
from interviewer.errors import SessionError
from interviewer.grading.grade import Grade, PointGrade, Verdict, score_of
from interviewer.language import Lang
from interviewer.transcript import Transcript, Turn

MAX_FOLLOW_UPS = 2
HINT_COST = 0.1
"""Share of a card's score that each hint costs."""
RANK: dict[Verdict, int] = {"missed": 0, "uncertain": 1, "contradicted": 2, "partial": 3, "covered": 4}
Move = Literal["hint", "skip", "back", "reference", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What a session was opened with."""

    lang: Lang = "en"
    topics: tuple[str, ...] = ()
    about: str = ""
    difficulty: int | None = None
    questions: int = 5
    seed: int = 0
    cards: tuple[str, ...] = ()
    """Card ids in order of relevance when `about` was given; else empty."""
    note: str = ""
    """What the candidate should know of how these cards were found."""

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "lang": self.lang, "topics": list(self.topics), "about": self.about, "difficulty": self.difficulty,
            "questions": self.questions, "seed": self.seed, "cards": list(self.cards),
            **({"note": self.note} if self.note else {}),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SessionSettings":
        """Read what `as_json` wrote."""
        return cls(**{**data, "topics": tuple(data["topics"]), "cards": tuple(data["cards"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question of a session with everything said on it."""

    turn: Turn
    card_id: str
    answers: tuple[Turn, ...] = ()
    grades: tuple[Turn, ...] = ()
    follow_ups: tuple[Turn, ...] = ()
    hints: int = 0
    """Hints paid for."""
    claimed: tuple[str, ...] = ()
    """Points that the judge couldn't tell and the candidate says were said; they count in no score."""
    skipped: bool = False
    left: bool = False
    """Whether the candidate went back to an earlier question from here."""

    @property
    def done(self) -> bool:
        """Whether it was graded or skipped."""
        return bool(self.grades) or self.skipped or self.left

    @property
    def awaits_an_answer(self) -> bool:
        """Whether a follow-up was put and not answered."""
        return bool(self.follow_ups and self.grades) and self.follow_ups[-1].number > self.grades[-1].number

    def grade(self, card: Card) -> Grade | None:
        """Return the card's grade over all answers to it, hints paid for; None when nothing was answered."""
        if not self.grades:
            return None
        grades = [Grade.from_json(turn.data["grade"]) for turn in self.grades]
        judged = [grade for grade in grades if grade.points]
        if not judged:
            return grades[-1]
        points = merged([grade.points for grade in judged])
        score = score_of(points, {point.id: point.weight for point in card.points})
        paid = None if score is None else round(score * max(0.0, 1 - HINT_COST * self.hints), 4)
        reason = judged[-1].reason if paid is None or len(judged) == 1 else ""
        return replace(judged[0], points=points, score=paid, reason=reason)


def merged(grades: Sequence[tuple[PointGrade, ...]]) -> tuple[PointGrade, ...]:
    """Return the best verdict of each point over several answers; a later contradiction stands."""
    best = {point.id: point for point in grades[0]}
    for points in grades[1:]:
        for point in points:
            if point.verdict == "contradicted" or RANK[point.verdict] > RANK[best[point.id].verdict]:
                best[point.id] = point
    return tuple(best.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a session stands."""

    settings: SessionSettings
    asked: tuple[Asked, ...]
    closed: bool
    pending: Turn | None
    """A candidate's turn that nothing was done about yet."""
    planned: Turn | None
    """The choice of the next card, where it was made already."""

    @property
    def current(self) -> Asked | None:
        """The question under discussion."""
        return self.asked[-1] if self.asked else None

    @property
    def card_ids(self) -> tuple[str, ...]:
        """Cards asked so far, each once."""
        return tuple(dict.fromkeys(asked.card_id for asked in self.asked))


def progress(transcript: Transcript) -> Progress:
    """Derive where a session stands."""
    asked: list[Asked] = []
    for turn in transcript.turns:
        if turn.kind == "question":
            asked.append(Asked(turn=turn, card_id=turn.data["card"]))
        elif turn.kind == "self_assessment":
            claimed = tuple(turn.data["claimed"])
            asked = [replace(a, claimed=claimed) if a.card_id == turn.data["card"] else a for a in asked]
        elif asked:
            asked[-1] = _with(asked[-1], turn)
    opened = next(transcript.of("opened"))
    last = transcript.turns[-1]
    planned = next(reversed(list(transcript.of("planned"))), None)
    if planned and planned.data["card"] in {question.card_id for question in asked}:
        planned = None
    return Progress(
        settings=SessionSettings.from_json(opened.data["settings"]),
        asked=tuple(asked),
        closed=any(True for _ in transcript.of("closed")),
        pending=last if last.kind in ("answer", "move") else None,
        planned=planned,
    )


def _with(asked: Asked, turn: Turn) -> Asked:
    match turn.kind:
        case "answer":
            return replace(asked, answers=(*asked.answers, turn))
        case "grade":
            return replace(asked, grades=(*asked.grades, turn))
        case "follow_up":
            return replace(asked, follow_ups=(*asked.follow_ups, turn))
        case "hint":
            # The last hint of the ladder may be asked for again: it costs nothing more.
            return replace(asked, hints=max(asked.hints, turn.data["number"] + 1))
        case "move" if turn.data["move"] == "skip":
            return replace(asked, skipped=True)
        case "move" if turn.data["move"] == "back":
            return replace(asked, left=True)
        case _:
            return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a card stands after one of its grades."""

    grade: Grade
    """Over all answers to the card so far, hints paid for."""
    wording: Mapping[str, Bilingual]
    """Of the points that may be shown; of those that may still be asked about it would give the answer away."""


def standing(transcript: Transcript, graded: Turn, cards: Mapping[str, Card]) -> Standing:
    """Return how a card stood right after a turn of kind "grade"; of a card that is gone, just that grade."""
    card = cards.get(graded.data["card"])
    if card is None:
        return Standing(grade=Grade.from_json(graded.data["grade"]), wording={})
    asked = progress(Transcript(transcript.session_id, transcript.turns[: graded.number + 1])).current
    grade = asked.grade(card) if asked else None
    assert asked is not None
    assert grade is not None
    more = follow_up_point(asked, card) is not None
    shown = [point.id for point in grade.points if not more or point.verdict not in ("missed", "uncertain")]
    return Standing(grade=grade, wording={name: card.point(name).text for name in shown})


def open_to_self_assessment(transcript: Transcript, cards: Mapping[str, Card]) -> dict[tuple[str, str], bool]:
    """Return the points that the judge couldn't tell and nobody will ask about, and whether the candidate claims them.

    By card and point, in the order of the session.
    """
    found: dict[tuple[str, str], bool] = {}
    where = progress(transcript)
    for asked in where.asked:
        card = cards.get(asked.card_id)
        grade = asked.grade(card) if card else None
        if card is None or grade is None or follow_up_point(asked, card) is not None:
            continue
        if asked is where.current and not where.closed and asked.awaits_an_answer:
            continue  # its wording would answer the follow-up
        for point in grade.points:
            if point.verdict == "uncertain":
                found[card.id, point.id] = point.id in asked.claimed
    return found


def changed_claims(
    before: Mapping[tuple[str, str], bool], claimed: Collection[tuple[str, str]]
) -> list[tuple[str, list[str]]]:
    """Return the cards on which the candidate's claims are new, each with all that is claimed on it.

    Raises:
        SessionError: a point is not open to self-assessment.
    """
    if wrong := [point for card, point in claimed if (card, point) not in before]:
        raise SessionError(f"{', '.join(wrong)} can't be assessed: only points that the judge left uncertain can")
    moved = {card for (card, point), said in before.items() if said != ((card, point) in claimed)}
    return [(name, sorted(point for card, point in claimed if card == name)) for name in sorted(moved)]


def follow_up_point(asked: Asked, card: Card) -> str | None:
    """Return the point to ask about next: what the judge couldn't tell before what was missed, the heaviest first."""
    grade = asked.grade(card)
    if grade is None or not grade.points or len(asked.follow_ups) >= MAX_FOLLOW_UPS:
        return None
    if asked.grades[-1].data["grade"].get("reason"):
        return None  # "I don't know", empty, echo: pressing on helps nobody
    tried = {turn.data["point"] for turn in asked.follow_ups}
    open_points = [p for p in grade.points if p.verdict in ("missed", "uncertain") and p.id not in tried]
    order = [(p.verdict == "uncertain", card.point(p.id).weight) for p in open_points]
    return open_points[order.index(max(order))].id if open_points else None


def unclear_words(asked: Asked, card: Card, point: str) -> str:
    """Return the candidate's words that the judge couldn't tell about a point; empty when there are none."""
    grade = asked.grade(card)
    found = next((p for p in grade.points if p.id == point and p.verdict == "uncertain"), None) if grade else None
    return found.evidence[0].text if found and found.evidence else ""
