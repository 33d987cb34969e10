"""The offline judge: words, embeddings and a small cross-encoder, weighed into a probability per verdict.

What it can't tell it calls uncertain. It does not reason: docs/grading.md says how often it is right.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from interviewer.grading.asides import is_aside
from interviewer.grading.crossencoder import CrossEncoder, PairRead
from interviewer.grading.gates import judged_sentences
from interviewer.grading.grade import NEEDS_EVIDENCE, Claim, Judgement, JudgingTask, PointGrade, Verdict
from interviewer.grading.signals import Found, Reader
from interviewer.grading.stack import Stack, features_of
from interviewer.labels import Label
from interviewer.language import Glossary, Span, language_of
from interviewer.retrieval.embedder import bilingual
from interviewer.transcript import Transcript

FAR = 0.1
"""Cosine to everything on the card under which a sentence that shares no word with it is about something else."""
CAUGHT: dict[Label, float] = {"covered": 0.02, "partial": 0.01, "missed": 0.01, "contradicted": 0.96}
"""Where a wrong claim that the card knows was made: on the dev answers all 33 such points are labelled contradicted."""
PLAINLY = 0.8
"""Share of a claim's terms in one sentence from which a negation in it can only be the claim turned round."""
ACCUSED = 0.75
"""Probability that a contradiction needs: who is right and is told to be wrong stops trusting the judge."""


@lru_cache(maxsize=1)
def _cross_encoder() -> CrossEncoder:
    """Return the cross-encoder, loaded when the first answer is judged."""
    return CrossEncoder()


@lru_cache(maxsize=1)
def _stack() -> Stack:
    return Stack.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Everything that is known of one claim and an answer."""

    claim: Claim
    spans: Sequence[Span]
    """The sentences to the matter."""
    found: Found
    read: PairRead

    @property
    def turned(self) -> bool:
        """Whether one sentence says the whole claim, and denies it.

        A card says better what contradicts its points: this is for points that stand alone.
        """
        signals, window = self.found.signals, self.found.nearest
        return bool(signals.turned) and not self.claim.keys and signals.recall >= PLAINLY and len(window.spans) == 1


class OfflineJudge:
    """Judges with no model server; calling it twice gives the same verdicts."""

    name = "offline"

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary

    @cached_property
    def _reader(self) -> Reader:
        return Reader(bilingual(), self._glossary)

    async def judge(self, task: JudgingTask, *, transcript: Transcript | None = None) -> Judgement:
        """Judge one answer; what was said before it does not matter here."""
        return Judgement(engine=self.name, points=tuple(await asyncio.to_thread(self.verdicts, task)))

    def verdicts(self, task: JudgingTask) -> list[PointGrade]:
        """Return one verdict a claim, in order."""
        looks = self._look(task)
        if not looks:
            return [PointGrade(id=claim.id, verdict="missed", confidence=0.9) for claim in task.claims]
        return [_verdict(look) for look in looks]

    def features(self, task: JudgingTask) -> list[tuple[float, ...]]:
        """Return what the stack weighs, one row a claim: what `training/stack.py` fits on; empty without a matter."""
        return [features_of(look.found.signals, look.read.logits) for look in self._look(task)]

    def _look(self, task: JudgingTask) -> list[_Look]:
        """Compare an answer with every claim; nothing where it has no sentence to the matter."""
        task = _as_answered(task)
        spans = self._to_the_matter(judged_sentences(task.answer), task)
        if not spans:
            return []
        reading = self._reader.read(spans)
        return [
            _Look(
                claim=claim,
                spans=spans,
                found=self._reader.compare(claim, task.wrong_claims, reading, question=task.question),
                read=_cross_encoder().read(claim.text, spans),
            )
            for claim in task.claims
        ]

    def _to_the_matter(self, spans: Sequence[Span], task: JudgingTask) -> list[Span]:
        """Leave out asides."""
        texts = [task.question, *(c.text for c in task.claims), *(w.text for w in task.wrong_claims)]
        terms = frozenset(term for text in texts for term in self._glossary.terms(text))
        return [
            span
            for span in spans
            if not is_aside(span.text, shared=(shared := len(terms & set(self._glossary.terms(span.text)))))
            and (shared or self._reader.closest(span.text, texts) >= FAR)
        ]


def _verdict(look: _Look) -> PointGrade:
    shares = _shares(look)
    likeliest = max(shares, key=lambda label: shares[label])
    needed = ACCUSED if likeliest == "contradicted" else _stack().unsure
    verdict: Verdict = likeliest if shares[likeliest] >= needed else "uncertain"
    wrong = look.found.wrong if likeliest == "contradicted" and not look.turned else None
    return PointGrade(
        id=look.claim.id,
        verdict=verdict,
        confidence=round(shares[likeliest], 3),
        evidence=_evidence(look, likeliest, verdict),
        why=wrong.why if wrong else "",
        probabilities={label: round(share, 4) for label, share in shares.items()},
    )


def _shares(look: _Look) -> dict[Label, float]:
    """Return the probability of each verdict: the stack's, unless a rule knows better."""
    signals = look.found.signals
    shares = _stack().probabilities(features_of(signals, look.read.logits))
    meant = look.found.wrong and signals.said < 0.5 and shares["covered"] < 0.5
    if signals.wrong_said or look.turned or meant:
        return CAUGHT
    if look.found.rejected:
        left = 1 - shares["contradicted"]
        return {label: 0.0 if label == "contradicted" else share / left for label, share in shares.items()}
    return shares


def _evidence(look: _Look, likeliest: Label, verdict: Verdict) -> tuple[Span, ...]:
    """Return the sentence that carries a verdict; of an uncertain one, the sentence to ask about."""
    if likeliest == "contradicted" and look.turned:
        return look.found.nearest.spans
    if likeliest == "contradicted" and look.found.wrong_window:
        return look.found.wrong_window.spans
    if likeliest in NEEDS_EVIDENCE:
        return (look.spans[look.read.carrier(likeliest)],)
    return (look.spans[look.read.carrier("covered")],) if verdict == "uncertain" else ()


def _as_answered(task: JudgingTask) -> JudgingTask:
    """Return the task with its claims in the language of the answer, where the card has them in both."""
    if language_of(task.answer) in (None, task.lang):
        return task
    return replace(
        task,
        claims=tuple(replace(c, text=c.translated or c.text) for c in task.claims),
        wrong_claims=tuple(replace(w, text=w.translated or w.text) for w in task.wrong_claims),
    )
