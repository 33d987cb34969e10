"""From the candidate's own words to cards: words find passages, passages find cards."""

from interviewer.cards import Card
from interviewer.errors import NothingFound
from interviewer.language import LANGS
from interviewer.library import Library
from interviewer.retrieval.index import SearchIndex

RELEVANT = 0.5
"""Least nearness (cosine of the nearest passage + KNOWN_SHARE * share of known terms) of words that the notes hold
something on; chosen on the lists of tests/test_retrieval.py."""
KNOWN_SHARE = 0.3


def _terms(card: Card, library: Library) -> set[str]:
    texts = [card.subject, card.question, *(point.text for point in card.points)]
    return set(library.glossary.terms(" . ".join(f"{text.en} . {text.zh}" for text in texts)))


def cards_about(index: SearchIndex, library: Library, about: str, *, limit: int) -> tuple[str, ...]:
    """Return the ids of the cards that stand on the passages nearest to the candidate's words.

    Raises:
        NothingFound: the notes hold nothing on it.
    """
    cosine, known = index.nearness(about)
    ranked: dict[str, float] = {}
    if cosine + KNOWN_SHARE * known >= RELEVANT:
        scores = {passage.id: score for passage, score in index.search(about, limit=12)}
        wanted = set(library.glossary.terms(about))
        for card in library.cards.values():
            passages = {p.id for lang in LANGS for p in library.passages_of(card, lang)}
            hit = sum(scores.get(name, 0.0) for name in passages)
            if hit:
                # A passage holds several cards: those that speak of it in the candidate's words come first.
                ranked[card.id] = hit * (1 + len(wanted & _terms(card, library)) / max(len(wanted), 1))
    if not ranked:
        raise NothingFound(f"your notes hold nothing on {about!r}; ask for a topic instead, or add a note on it")
    return tuple(sorted(ranked, key=lambda name: (-ranked[name], name))[:limit])
