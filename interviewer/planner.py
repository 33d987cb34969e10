"""What to ask next, and why."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interviewer.cards import Card
from interviewer.computed.draw import ready, template
from interviewer.drafts import TOPIC as DRAFTED
from interviewer.errors import NothingFound
from interviewer.library import Library

Why = Literal["about", "weak", "new", "next", "left", "back"]
"""Why a card is asked: the candidate's words, a low score last time, never asked, asked before and fine, left open
when going back, or gone back to."""
WEAK = 0.6
"""A card whose last score is under this is weak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The card that comes next, and why."""

    card: Card
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the candidate wants to practise."""

    topics: tuple[str, ...] = ()
    difficulty: int | None = None
    cards: tuple[str, ...] = ()
    seed: int = 0


def plan(library: Library, wish: Wish, *, asked: Sequence[str], last_scores: dict[str, float]) -> Plan | None:
    """Return the next card; None when all that fit were asked.

    Cards found for the candidate's words come in order of relevance; else weak ones first, then new ones, spread
    over the topics.
    """
    done = {template(name) for name in asked}
    if wish.cards:
        card = next((library.cards[name] for name in wish.cards if name not in done and name in library.cards), None)
        return Plan(card=ready(card, wish.seed), why="about") if card else None
    fitting = [card for card in candidates(library, wish) if card.id not in done]
    if not fitting:
        return None
    per_topic = {topic: sum(library.cards[name].topic == topic for name in asked) for topic in library.titles}
    order = {name: random.Random(f"{wish.seed}:{name}").random() for name in library.cards}

    def rank(card: Card) -> tuple[int, int, float]:
        score = last_scores.get(card.id)
        kind = 1 if score is None else 0 if score < WEAK else 2
        return per_topic[card.topic], kind, order[card.id]

    card = min(fitting, key=rank)
    score = last_scores.get(card.id)
    return Plan(card=ready(card, wish.seed), why="new" if score is None else "weak" if score < WEAK else "next")


def candidates(library: Library, wish: Wish) -> list[Card]:
    """Return the cards that fit topics and difficulty.

    Raises:
        NothingFound: no such topic, or no card of that difficulty.
    """
    unknown = [topic for topic in wish.topics if topic not in library.titles]
    if unknown:
        raise NothingFound(f"no topic {unknown[0]!r}; there are: {', '.join(sorted(library.titles))}")
    fitting = [
        card
        for card in library.cards.values()
        # A drafted card is asked when somebody asks for it: nobody has reviewed it.
        if (card.topic in wish.topics if wish.topics else card.topic != DRAFTED)
        and wish.difficulty in (None, card.difficulty)
    ]
    if not fitting:
        raise NothingFound(f"no card of difficulty {wish.difficulty} in {', '.join(wish.topics) or 'any topic'}")
    return fitting
