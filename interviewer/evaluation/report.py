"""One evaluation of a judge, as JSON data and as a page that shows it."""

import html
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interviewer.evaluation.judged import JudgedAnswer, JudgedPoint
from interviewer.evaluation.metrics import accuracy_at, blind_agreement, by_answer, by_pair, by_point, reliability
from interviewer.labels import LABELS

SHARES = tuple(share / 20 for share in range(4, 21))
SHOWN = (
    "points", "accuracy", "kappa", "kappa_of_four", "auc", "auc_inside_an_answer", "calibration_error", "coverage",
    "accuracy_without_least_certain_quarter", "bias",
)  # fmt: skip
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation of {judge}</title>
<style>
body {{font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b}}
table {{border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto}}
td, th {{padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap}}
td:first-child, th:first-child {{text-align: left}}
.plots {{display: flex; flex-wrap: wrap; gap: 1rem}} .plots svg {{max-width: 100%; height: auto}}
blockquote {{margin: .3rem 0; padding-left: .8rem; border-left: 3px solid #bbb}}
</style>
<h1>Evaluation of {judge}</h1>
<p>{answers} answers, {points} labelled points, {left} answers not graded.</p>
<div class="plots">{plots}</div>
{tables}
{failures}
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one judge said of labelled answers."""

    judge: str
    answers: tuple[JudgedAnswer, ...]

    @property
    def points(self) -> list[JudgedPoint]:
        """All labelled points, in order."""
        return [point for answer in self.answers for point in answer.points]

    def as_json(self) -> dict[str, Any]:
        """Return every figure."""
        return {
            "judge": self.judge,
            "answers": len(self.answers),
            "not_graded": [{"id": a.labelled.id, "reason": a.grade.reason} for a in self.answers if not a.grade.points],
            "all": by_point(self.points),
            **{
                name: {part: by_point(points) for part, points in sorted(parts.items())}
                for name, parts in self._parts().items()
            },
            "scores": by_answer(self.answers),
            "pairs": by_pair(self.answers),
            "second_reader": blind_agreement(a.labelled for a in self.answers),
        }

    def _parts(self) -> Mapping[str, Mapping[str, Sequence[JudgedPoint]]]:
        found: dict[str, dict[str, list[JudgedPoint]]] = {
            name: defaultdict(list) for name in ("language", "other_language", "kind", "topic")
        }
        for point in self.points:
            found["language"][point.lang].append(point)
            if point.across:
                found["other_language"]["answer and point differ"].append(point)
            if point.kind:
                found["kind"][point.kind].append(point)
            if point.topic:
                found["topic"][point.topic].append(point)
        return found

    def as_html(self) -> str:
        """Return a page that needs no other file."""
        figures = self.as_json()
        tables = [_table("All points", {"all": figures["all"]})]
        tables += [
            _table(name.replace("_", " ").capitalize(), figures[name])
            for name in ("language", "other_language", "kind", "topic")
            if figures[name]
        ]
        tables += [
            _list(title, figures[name])
            for title, name in (
                ("Scores of whole answers", "scores"),
                ("Minimal pairs and translations", "pairs"),
                ("A second reader", "second_reader"),
            )
        ]
        return PAGE.format(
            judge=html.escape(self.judge),
            answers=len(self.answers),
            points=len(self.points),
            left=len(figures["not_graded"]),
            plots="".join(self._plots()) if self.points else "",
            tables="".join(tables),
            failures=self._failures(),
        )

    def _plots(self) -> list[str]:
        from matplotlib.figure import Figure  # takes half a second to import

        figure = Figure(figsize=(4, 3.4), layout="constrained")
        axes = figure.subplots()
        bins = reliability(self.points)
        axes.plot([0, 1], [0, 1], color="#bbb", linestyle="--")
        axes.plot([b[0] for b in bins], [b[1] for b in bins], marker="o", color="#1f6f8b")
        axes.set(title="Reliability", xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
        reliable = _svg(figure)
        figure = Figure(figsize=(4, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.plot(SHARES, [accuracy_at(self.points, share) for share in SHARES], marker=".", color="#1f6f8b")
        axes.set(title="Coverage and accuracy", xlabel="share of points kept, most certain first", ylabel="accuracy")
        kept = _svg(figure)
        figure = Figure(figsize=(4, 3.4), layout="constrained")
        axes = figure.subplots()
        counts = [[sum(p.label == one and p.decided == two for p in self.points) for two in LABELS] for one in LABELS]
        axes.imshow(counts, cmap="Blues")
        axes.set(title="Confusion", xlabel="judge", ylabel="label", xticks=range(4), yticks=range(4))
        axes.set_xticklabels(LABELS, rotation=30, ha="right")
        axes.set_yticklabels(LABELS)
        top = max(map(max, counts))
        for i, row in enumerate(counts):
            for j, count in enumerate(row):
                axes.text(j, i, str(count), ha="center", va="center", color="white" if count > top / 2 else "black")
        return [reliable, kept, _svg(figure)]

    def _failures(self) -> str:
        """Return the surest mistakes: where to look first."""
        said = {a.labelled.id: a.labelled.answer for a in self.answers}
        wrong = sorted((p for p in self.points if p.label != p.decided), key=lambda p: -p.confidence)[:20]
        items = "".join(
            f"<li><b>{html.escape(p.answer)} · {html.escape(p.point)}</b>: labelled {p.label}, judged {p.decided} "
            f"({p.confidence:.2f})<blockquote>{html.escape(said[p.answer][:600])}</blockquote></li>"
            for p in wrong
        )
        return f"<h2>The surest mistakes</h2><ol>{items}</ol>" if wrong else ""


def _table(title: str, parts: Mapping[str, Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in SHOWN)
    rows = "".join(
        f"<tr><td>{html.escape(part)}</td>{''.join(f'<td>{_cell(figures.get(name))}</td>' for name in SHOWN)}</tr>"
        for part, figures in parts.items()
    )
    return f"<h2>{title}</h2><table><tr><th></th>{head}</tr>{rows}</table>"


def _list(title: str, figures: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{name.replace('_', ' ')}</td><td>{_cell(value)}</td></tr>" for name, value in figures.items()
    )
    return f"<h2>{title}</h2><table>{rows}</table>"


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case [figure, low, high]:
            return f"{figure:.2f} [{low:.2f}, {high:.2f}]"
        case float():
            return f"{value:.3f}"
        case _:
            return str(value)


def _svg(figure: Any) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
