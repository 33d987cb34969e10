"""Guards against giving a point away in what the interviewer says before it is answered."""

from interviewer.cards import Card, Point
from interviewer.computed.quantities import near, quantities, size_of
from interviewer.language import normalise, says


def given_away(text: str, *, card: Card, point: Point) -> str | None:
    """Return the wordings with which a follow-up or hint gives a point away; None when it does not.

    A wording that the question itself says gives nothing away. A point of a computed card is given away by its number.
    """
    if point.value and point.value.expected is not None:
        dimension, size = size_of(point.value.unit)
        told = near(quantities(text, dimension, default=size), point.value.expected, point.value.tolerance)
        return told.span.text if told else None
    folded = normalise(text)
    question = normalise(f"{card.question.en} {card.question.zh}")
    said = [
        next((wording for wording in group if says(folded, wording) and not says(question, wording)), None)
        for group in point.keys
    ]
    return ", ".join(filter(None, said)) or None
