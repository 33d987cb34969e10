"""Draws the numbers of a computed card from a seed and fills them in."""

import random
import string
from collections.abc import Mapping
from typing import Any

from interviewer.cards import Bilingual, Card, Point
from interviewer.computed.formulas import FORMULAS
from interviewer.computed.quantities import shown, size_of

SEEDS = 10_000
"""Different draws of a card."""
TRIES = 50


class _Words(string.Formatter):
    """Fills in values: `{tokens}` with thousands separators, `{total:GiB}` in a unit."""

    def format_field(self, value: Any, spec: str) -> str:
        return shown(float(value), spec) if isinstance(value, (int, float)) else str(value)


def template(card_id: str) -> str:
    """Return the id of the card that a drawn card was drawn from; of any other card, its own."""
    return card_id.partition("@")[0]


def ready(card: Card, seed: int) -> Card:
    """Return a card as it can be asked: a computed one with its numbers, any other as it is."""
    return draw(card, seed) if card.computed and template(card.id) == card.id else card


def draw(card: Card, seed: int) -> Card:
    """Return a computed card with its numbers filled in; the same seed gives the same numbers.

    Raises:
        KeyError: a text names a value that there is not.
        ValueError: no draw keeps its results apart from the numbers given.
    """
    assert card.computed is not None
    seed %= SEEDS
    dice = random.Random(f"{card.id}:{seed}")
    for _ in range(TRIES):
        given = {name: dice.choice(choices) for name, choices in card.computed.draw.items()}
        steps = FORMULAS[card.computed.formula](**given)
        if _apart(card, given, steps):
            return _filled(card, seed, {**given, **steps})
    raise ValueError(f"card {card.id}: no draw in {TRIES} keeps its results apart from the numbers given")


def _apart(card: Card, given: Mapping[str, float], steps: Mapping[str, float]) -> bool:
    """Tell whether no result, in the unit asked for, is a number that the question gives."""
    asked = [(steps[p.value.step], size_of(p.value.unit)[1], p.value.tolerance) for p in card.points if p.value]
    return not any(
        abs(value / size - n) <= tolerance * abs(n) for value, size, tolerance in asked for n in given.values()
    )


def _filled(card: Card, seed: int, values: Mapping[str, float]) -> Card:
    def both(text: Bilingual) -> Bilingual:
        return Bilingual(en=_Words().vformat(text.en, (), values), zh=_Words().vformat(text.zh, (), values))

    def point(old: Point) -> Point:
        assert old.value is not None
        expected = old.value.model_copy(update={"expected": values[old.value.step]})
        return old.model_copy(update={"text": both(old.text), "follow_up": both(old.follow_up), "value": expected})

    return card.model_copy(
        update={
            "id": f"{card.id}@{seed}",
            "question": both(card.question),
            "points": [point(old) for old in card.points],
            "hints": [both(hint) for hint in card.hints],
            "reference": both(card.reference),
        }
    )
