"""Agreement of a judge with labels: what the `metrics` note teaches, over verdicts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from interviewer.grading.grade import Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts of (label, verdict) pairs."""

    pairs: Counter[tuple[Verdict, Verdict]]

    @classmethod
    def of(cls, rows: Iterable[tuple[Verdict, Verdict]]) -> "Agreement":
        """Count pairs of label and verdict."""
        return cls(Counter(rows))

    @property
    def points(self) -> int:
        """Return how many points were judged."""
        return sum(self.pairs.values())

    @property
    def accuracy(self) -> float:
        """Share of points with the label's verdict."""
        return sum(self.pairs[v, v] for v in VERDICTS) / self.points

    @property
    def kappa(self) -> float:
        """Cohen's kappa (1960): agreement beyond what the marginals give by chance."""
        labels = {v: sum(self.pairs[v, other] for other in VERDICTS) for v in VERDICTS}
        verdicts = {v: sum(self.pairs[other, v] for other in VERDICTS) for v in VERDICTS}
        chance = sum(labels[v] * verdicts[v] for v in VERDICTS) / self.points**2
        return 1.0 if chance == 1.0 else (self.accuracy - chance) / (1.0 - chance)

    def recall(self, verdict: Verdict) -> float | None:
        """Share of the points labelled so that were judged so; None without any."""
        labelled = sum(self.pairs[verdict, other] for other in VERDICTS)
        return self.pairs[verdict, verdict] / labelled if labelled else None

    def precision(self, verdict: Verdict) -> float | None:
        """Share of the points judged so that are labelled so; None without any."""
        judged = sum(self.pairs[other, verdict] for other in VERDICTS)
        return self.pairs[verdict, verdict] / judged if judged else None
