"""The offline judge: words, declared keys and sentence embeddings, point by point.

The first honest version: what it measures is agreement of words and meaning between a point and
the best two neighbouring sentences, turned round by negation and opposites. It does not reason.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from interviewer.cards import Keys
from interviewer.grading.gates import judged_sentences
from interviewer.grading.grade import Claim, Judgement, JudgingTask, PointGrade, Verdict, WrongClaim
from interviewer.language import Glossary, Span, negated, negations, negations_around, normalise, rejects, says_any
from interviewer.retrieval.embedder import Embedder, Vectors
from interviewer.transcript import Transcript

COVERED, PARTIAL = 0.62, 0.42
"""Thresholds on agreement."""
CLOSE = 0.8
"""Agreement by its text at which a claim is covered though not all of its declared wordings were said."""
UNSURE = 0.08
"""Agreement this near under PARTIAL, without declared wordings, is left uncertain."""
MEANT, MEANT_MARGIN, MEANT_RECALL = 0.55, 0.1, 0.4
"""Least cosine to a wrong claim, by how much it must pass that to the right one, and least share of its terms (on the
trial answers 33 of 86 wrong claims are found so without their wordings, beside 5 false ones)."""
TURNED = 1.02
"""Agreement at which a negated sentence without declared wordings contradicts the claim; under it, uncertain."""
OPPOSITES = (
    ("increase", "decrease"), ("increase", "reduce"), ("higher", "lower"), ("high", "low"), ("more", "less"), ("large", "small"),
    ("larger", "smaller"), ("before", "after"), ("fast", "slow"), ("faster", "slower"), ("better", "worse"), ("longer", "shorter"),
    ("long", "short"), ("frozen", "update"), ("same", "different"), ("always", "never"), ("first", "last"), ("left", "right"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Window:
    """Neighbouring sentences of the answer."""

    spans: tuple[Span, ...]
    folded: str
    after: str
    """The next sentence, folded."""
    terms: frozenset[str]
    vector: Vectors


class OfflineJudge:
    """Judges with no model server; calling it twice gives the same verdicts."""

    name = "offline"

    def __init__(self, embedder: Embedder, glossary: Glossary) -> None:
        self._embedder = embedder
        self._glossary = glossary
        self._vector = lru_cache(maxsize=4096)(self._embed)

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; what was said before it does not matter here."""
        return Judgement(engine=self.name, points=tuple(await asyncio.to_thread(self.verdicts, task)))

    def verdicts(self, task: JudgingTask) -> list[PointGrade]:
        """Return one verdict a claim, in order."""
        windows = self._windows(judged_sentences(task.answer))
        asked = frozenset(self._glossary.terms(task.question))
        return [self._verdict(claim, task.wrong_claims, windows, asked) for claim in task.claims]

    def _embed(self, text: str) -> Vectors:
        english = text if self._embedder.multilingual else self._glossary.in_english(text)
        vector: Vectors = self._embedder.embed([english])[0]
        return vector

    def _windows(self, spans: Sequence[Span]) -> list[_Window]:
        after = [normalise(span.text) for span in spans[1:]] + ["", ""]
        single = [self._window((span,), self._vector(span.text), after[i]) for i, span in enumerate(spans)]
        pairs = []
        for i, (one, two) in enumerate(pairwise(single)):
            mean = one.vector + two.vector
            unit = mean / max(float(np.linalg.norm(mean)), 1e-9)
            pairs.append(self._window(one.spans + two.spans, unit, after[i + 1]))
        return single + pairs

    def _window(self, spans: tuple[Span, ...], vector: Vectors, after: str) -> _Window:
        text = " ".join(span.text for span in spans)
        return _Window(spans, normalise(text), after, frozenset(self._glossary.terms(text)), vector)

    def _verdict(
        self, claim: Claim, wrong: Sequence[WrongClaim], windows: list[_Window], asked: frozenset[str]
    ) -> PointGrade:
        if not windows:
            return PointGrade(id=claim.id, verdict="missed", confidence=0.9)
        best, agreement = max(
            ((window, self._agreement(claim, window, asked)) for window in windows),
            # A pair must beat the single sentence clearly: the shorter quote is the better evidence.
            key=lambda pair: pair[1] - 0.05 * (len(pair[0].spans) - 1),
        )
        for mistake in wrong:
            if claim.id not in mistake.contradicts:
                continue
            window = _made(mistake, windows)
            if window is None and agreement < COVERED:
                window = self._meant(mistake, claim, windows, asked)
            if window:
                return PointGrade(
                    id=claim.id, verdict="contradicted", confidence=0.8, evidence=window.spans, why=mistake.why
                )
        if agreement >= PARTIAL and self._turned_round(claim, best):
            # A card names its misconceptions. Beyond them a negation settles what was meant only in one sentence
            # that says the whole claim.
            plain = not claim.keys and agreement >= TURNED and len(best.spans) == 1
            verdict: Verdict = "contradicted" if plain else "uncertain"
            return PointGrade(id=claim.id, verdict=verdict, confidence=0.6, evidence=best.spans)
        if agreement >= PARTIAL:
            verdict = "covered" if agreement >= COVERED else "partial"
            return PointGrade(id=claim.id, verdict=verdict, confidence=_sure(agreement, COVERED), evidence=best.spans)
        if not claim.keys and agreement > PARTIAL - UNSURE:
            return PointGrade(id=claim.id, verdict="uncertain", confidence=0.5, evidence=best.spans)
        return PointGrade(id=claim.id, verdict="missed", confidence=_sure(agreement, PARTIAL))

    def _agreement(self, claim: Claim, window: _Window, asked: frozenset[str]) -> float:
        """Return how far a sentence makes a claim, 0 to about 1.

        By the claim's text: its terms and its meaning. By its declared wordings: whichever is more, but the text
        alone makes a claim partial at most, unless it is met closely, and needs half of the wordings to count at all.
        """
        recall = self._recall(claim.text, window.terms, asked)
        similarity = float(self._vector(claim.text) @ window.vector)
        meaning = min(max((similarity - 0.25) / 0.5, 0.0), 1.0)
        by_text = 2 * (0.65 * min(1.0, recall * 1.25) + 0.35 * meaning) - 0.22
        if not claim.keys:
            return by_text
        said = _said(claim.keys, window)
        by_wordings = COVERED * said + 0.24 * recall + 0.14 * meaning
        if said < 0.5:
            return by_wordings
        return max(by_wordings, by_text if by_text >= CLOSE else min(by_text, COVERED - 0.01))

    def _meant(
        self, mistake: WrongClaim, claim: Claim, windows: list[_Window], asked: frozenset[str]
    ) -> _Window | None:
        """Return the sentence that comes close to a wrong claim in other words, and closer than to the right one."""
        sign = negations(mistake.text) % 2
        for window in windows:
            close = float(self._vector(mistake.text) @ window.vector)
            if (
                close >= MEANT
                and close - float(self._vector(claim.text) @ window.vector) >= MEANT_MARGIN
                and _said(mistake.keys, window) >= 0.5
                and self._recall(mistake.text, window.terms, asked) >= MEANT_RECALL
                and negations(window.folded) % 2 == sign
                and not rejects(window.folded, window.after)
            ):
                return window
        return None

    def _recall(self, text: str, said: frozenset[str], asked: frozenset[str]) -> float:
        """Share of a point's terms that were said; terms that the question gives count a quarter."""
        weights = {term: _rarity(term) * (0.25 if term in asked else 1.0) for term in set(self._glossary.terms(text))}
        total = sum(weights.values())
        return sum(weight for term, weight in weights.items() if term in said) / total if total else 0.0

    def _turned_round(self, claim: Claim, window: _Window) -> bool:
        if claim.keys and (negations(claim.text) or len(window.spans) > 1):
            return False  # a card's misconceptions say better what contradicts such a point
        terms = frozenset(self._glossary.terms(claim.text))
        for one, other in OPPOSITES:
            for here, there in ((one, other), (other, one)):
                if here in terms and there not in terms and there in window.terms and here not in window.terms:
                    return True
        text = " ".join(span.text for span in window.spans)
        denied_here, denied_there = self._denied(claim.text), self._denied(text)
        # "more, not less" denies nothing that the claim says.
        affirmed = {other for pair in OPPOSITES for one, other in (pair, pair[::-1]) if one in window.terms}
        if (denied_there - affirmed) & (terms - denied_here):
            return True
        return bool(denied_here & window.terms) and negations(text) == 0

    def _denied(self, text: str) -> frozenset[str]:
        """Return the terms that stand right behind a negation, such as `updated` in "not updated"."""
        return frozenset(term for scope in negated(text) for term in self._glossary.terms(scope)[:1])


def _said(keys: Keys, window: _Window) -> float:
    """Share of key groups of which a wording was said."""
    return sum(says_any(window.folded, group) for group in keys) / len(keys)


def _made(mistake: WrongClaim, windows: list[_Window]) -> _Window | None:
    """Return the sentence that makes a wrong claim: not rejected, and negated as often as the claim itself."""
    wordings = [wording for group in mistake.keys for wording in group]
    sign = negations_around(normalise(mistake.text), wordings) % 2
    for window in windows:
        if (
            _said(mistake.keys, window) == 1.0
            and not rejects(window.folded, window.after)
            and negations_around(window.folded, wordings) % 2 == sign
        ):
            return window
    return None


def _rarity(term: str) -> float:
    """Weight of a term without a corpus: longer and composed terms say more."""
    return 1.0 + math.log2(1 + min(len(term), 16)) / 4 + (0.5 if " " in term or "-" in term else 0.0)


def _sure(agreement: float, threshold: float) -> float:
    return round(min(0.95, 0.5 + abs(agreement - threshold)), 3)
