"""Drafts a card from passages where no card fits: one structured call, and code checks that nothing is invented."""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from interviewer.cards import Bilingual, Card, Point, Source
from interviewer.drafts import TOPIC
from interviewer.engines.checks import QUESTION_MARK, shape_problem
from interviewer.engines.messages import tame
from interviewer.engines.model import ChatModel, Message
from interviewer.errors import BadModelOutput
from interviewer.language import Glossary, Lang, normalise
from interviewer.library import Passage
from interviewer.prompts import render

DRAFT_TOKENS = 1500
SUPPORTED = 0.6
"""Least share of a point's terms that its passage must hold."""
GIVEN_AWAY = 0.7
"""Share of a point's terms that a question or follow-up must not hold."""
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class PointDraft(BaseModel):
    """One claim, with the line of the notes that makes it."""

    model_config = ConfigDict(extra="forbid")
    passage: int = Field(ge=1, le=9)
    quote: Annotated[str, StringConstraints(min_length=8, max_length=240)]
    claim: Annotated[str, StringConstraints(min_length=8, max_length=240)]
    follow_up: Annotated[str, StringConstraints(min_length=4, max_length=160)]


class CardDraft(BaseModel):
    """A question with its points."""

    model_config = ConfigDict(extra="forbid")
    subject: Annotated[str, StringConstraints(min_length=2, max_length=60)]
    question: Annotated[str, StringConstraints(min_length=8, max_length=300)]
    points: list[PointDraft] = Field(min_length=4, max_length=6)
    hint: Annotated[str, StringConstraints(min_length=4, max_length=160)]
    reference: Annotated[str, StringConstraints(min_length=20, max_length=1200)]


async def draft_card(
    model: ChatModel, passages: Sequence[Passage], about: str, *, lang: Lang, glossary: Glossary
) -> Card:
    """Return a card on what the candidate asked for, drafted from passages of their notes.

    Raises:
        BadModelOutput: the model invented something, or gave a point away.
        ModelError: the model could not be asked.
    """
    numbered = [{"number": n, "text": tame(passage.text)} for n, passage in enumerate(passages, start=1)]
    messages = [
        Message("system", render("llm/draft", lang=lang)),
        Message("user", render("llm/draft_from", lang=lang, passages=numbered, about=tame(about))),
    ]
    draft, _ = await model.parse(messages, CardDraft, max_tokens=DRAFT_TOKENS)
    if problem := draft_problem(draft, passages, lang=lang, glossary=glossary):
        raise BadModelOutput(f"the drafted card was not used: {problem}", reply=draft.model_dump_json())
    return _card(draft, passages)


def draft_problem(draft: CardDraft, passages: Sequence[Passage], *, lang: Lang, glossary: Glossary) -> str | None:
    """Return what is wrong with a drafted card; None when every point rests on a passage and nothing is given away."""
    for text in (draft.question, draft.hint, draft.reference, *(p.claim for p in draft.points)):
        if problem := shape_problem(text, lang=lang, longest=1200):
            return problem
    if len(QUESTION_MARK.findall(draft.question)) != 1:
        return "it is not one question"
    if normalise(draft.subject) not in normalise(draft.question):
        return "the question does not name its subject"
    if len({normalise(point.claim) for point in draft.points}) < len(draft.points):
        return "two points are the same"
    told = set(glossary.terms(f"{draft.question} . {draft.hint}"))
    for number, point in enumerate(draft.points, start=1):
        if problem := _point_problem(point, passages, told=told, glossary=glossary):
            return f"point {number} {problem}"
    return None


def _point_problem(point: PointDraft, passages: Sequence[Passage], *, told: set[str], glossary: Glossary) -> str | None:
    if point.passage > len(passages) or _line(point, passages) is None:
        return "quotes what is not in the notes"
    held = passages[point.passage - 1].text
    terms = set(glossary.terms(point.claim))
    if not terms or len(terms & set(glossary.terms(held))) < SUPPORTED * len(terms):
        return "is not in its passage"
    if not set(NUMBER.findall(point.claim)) <= set(NUMBER.findall(held)):
        return "has a number that its passage does not have"
    if len(terms & (told | set(glossary.terms(point.follow_up)))) > GIVEN_AWAY * len(terms):
        return "is given away"
    return None


def _line(point: PointDraft, passages: Sequence[Passage]) -> str | None:
    lines = passages[point.passage - 1].text.split("\n")
    return next((line for line in lines if point.quote.strip() in line), None)


def _card(draft: CardDraft, passages: Sequence[Passage]) -> Card:
    digest = hashlib.sha256(draft.model_dump_json().encode()).hexdigest()[:8]
    return Card(
        id=f"{TOPIC}-{digest}",
        topic=TOPIC,
        difficulty=3,
        subject=_both(draft.subject),
        question=_both(draft.question),
        points=[
            Point(
                id=f"p{number}",
                weight=1,
                text=_both(point.claim),
                source=Source(**_both(point.quote.strip()).model_dump(), note=passages[point.passage - 1].note),
                follow_up=_both(point.follow_up),
            )
            for number, point in enumerate(draft.points, start=1)
        ],
        hints=[_both(draft.hint)],
        reference=_both(draft.reference),
    )


def _both(text: str) -> Bilingual:
    """Return a text that stands in for both languages: a draft is made in that of the session."""
    return Bilingual(en=text, zh=text)
