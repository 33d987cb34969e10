"""From the candidate's own words to cards: words find passages, passages find cards."""

from dataclasses import dataclass

from interviewer.cards import Card
from interviewer.errors import NothingFound
from interviewer.language import LANGS
from interviewer.library import Library, Passage
from interviewer.retrieval.index import SearchIndex

RELEVANT = 0.5
"""Least nearness (cosine of the nearest passage + KNOWN_SHARE * share of known terms) of words that the notes hold
something on; chosen on the lists of tests/test_retrieval.py."""
KNOWN_SHARE = 0.3
SEARCHED = 12
NEAREST = 3
"""Passages that a card may stand on to fit, and that one is drafted from."""
MOST = 0.75
"""Share of the words' terms."""


def _terms(card: Card, library: Library) -> set[str]:
    texts = [card.subject, card.question, *(point.text for point in card.points)]
    return set(library.glossary.terms(" . ".join(f"{text.en} . {text.zh}" for text in texts)))


@dataclass(frozen=True, slots=True)
class About:
    """What the notes hold on the candidate's words."""

    cards: tuple[str, ...]
    """Ids of the cards that stand on what was found, nearest first."""
    passages: tuple[Passage, ...]
    """Nearest passages, best first."""
    fits: bool
    """Whether a card stands on the very nearest passage, or on one of the nearest and speaks of most that was said."""


def cards_about(index: SearchIndex, library: Library, about: str, *, limit: int) -> About:
    """Return the cards that stand on the passages nearest to the candidate's words.

    Raises:
        NothingFound: the notes hold nothing on it, or no card stands anywhere near.
    """
    cosine, known = index.nearness(about)
    if cosine + KNOWN_SHARE * known < RELEVANT:
        raise NothingFound(f"your notes hold nothing on {about!r}; ask for a topic instead, or add a note on it")
    found = index.search(about, limit=SEARCHED)
    scores = {passage.id: score for passage, score in found}
    nearest = tuple(passage for passage, _ in found[:NEAREST])
    near = {passage.id for passage in nearest}
    wanted = set(library.glossary.terms(about))
    ranked: dict[str, float] = {}
    fits = False
    for card in library.cards.values():
        passages = {p.id for lang in LANGS for p in library.passages_of(card, lang)}
        hit = sum(scores.get(name, 0.0) for name in passages)
        if hit:
            # A passage holds several cards: those that speak of it in the candidate's words come first.
            share = len(wanted & _terms(card, library)) / max(len(wanted), 1)
            ranked[card.id] = hit * (1 + share)
            fits = fits or nearest[0].id in passages or (bool(near & passages) and share >= MOST)
    if not ranked:
        raise NothingFound(f"no card stands near {about!r}; ask for a topic instead, or write a card for your note")
    best = sorted(ranked, key=lambda name: (-ranked[name], name))[:limit]
    return About(cards=tuple(best), passages=nearest, fits=fits)
