"""Writes docs/grading.md from what benchmarks/grading.py printed: `python benchmarks/grading_page.py grading.json`."""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "grading.md"
TARGETS = (
    ("kappa, covered or not", "0.60", lambda r: r["test"]["all"]["kappa"][0]),
    ("the same of the answer-only control", "at least 0.30 below", lambda r: r["answer_only_control"]["kappa"][0]),
    ("AUC inside an answer", "0.88", lambda r: r["test"]["all"]["auc_inside_an_answer"]),
    ("the same, answer and point in different languages", "0.75", lambda r: r["in_the_other_language"]["auc_inside_an_answer"]),
    ("minimal pairs: the changed point flips", "0.75", lambda r: r["test"]["pairs"]["changed_point_flips"]),
    ("minimal pairs: other points stay", "0.95", lambda r: r["test"]["pairs"]["other_points_stay"]),
    ("kappa in Chinese", "within 0.05 of English", lambda r: r["test"]["language"]["zh"]["kappa"][0]),
    ("kappa in English", "", lambda r: r["test"]["language"]["en"]["kappa"][0]),
    ("accuracy, covered or not, least certain quarter set aside", "0.92", lambda r: r["test"]["all"]["accuracy_without_least_certain_quarter"]),
    ("translated answers: points judged otherwise", "under 0.08", lambda r: r["test"]["pairs"]["translation_moves"]),
    ("false credit, stuffed answers", "under 0.05", lambda r: r["false_credit"]["stuffed"]),
    ("false credit, injecting answers", "under 0.05", lambda r: r["false_credit"]["injecting"]),
    ("false credit, contradicted points", "under 0.05", lambda r: r["false_credit"]["contradicting"]),
    ("SciEntsBank unseen questions, two-way macro-F1", "0.72", lambda r: other(r, "scientsbank_test-unseen-questions", "two_way_macro_f1")),
    ("SciEntsBank unseen domains, two-way macro-F1", "0.73", lambda r: other(r, "scientsbank_test-unseen-domains", "two_way_macro_f1")),
    ("Mohler, r within questions", "0.52", lambda r: other(r, "mohler", "r_within_questions")),
    ("the same of length alone", "", lambda r: other(r, "mohler", "r_within_questions_of_length")),
    ("Beetle unseen questions, contradictory: recall", "0.3", lambda r: other(r, "beetle_test-unseen-questions", "contradictory_recall")),
    ("Beetle unseen questions, contradictory: precision", "0.6", lambda r: other(r, "beetle_test-unseen-questions", "contradictory_precision")),
    ("milliseconds for five points and 90 to 150 words, median", "150", lambda r: r["speed"]["ms_p50"]),
)  # fmt: skip


def other(report: dict[str, Any], name: str, figure: str) -> Any:
    """Return a figure of a set from elsewhere; a dash where the set was not there."""
    return report.get("others", {}).get(name, {}).get(figure, "–")


def row(*cells: Any) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(str(c) for c in cells) + " |"


def interval(value: list[float]) -> str:
    """Show a figure with its interval."""
    return f"{value[0]:.2f} [{value[1]:.2f}, {value[2]:.2f}]"


def judges(report: dict[str, Any]) -> list[str]:
    """Return the table of judges beside each other."""
    rows = [
        ("the offline judge", report["test"]["all"]),
        ("the same, by the points' text alone", report["by_text_alone"]),
        ("the same, points in the other language", report["in_the_other_language"]),
        *((f"naive: {name.replace('_', ' ')}", figures) for name, figures in report["naive"].items()),
        ("control: sees the answer, never the point", report["answer_only_control"]),
    ]
    shown = [row(name, interval(f["kappa"]), f"{f['auc']:.2f}", f"{f['auc_inside_an_answer']:.2f}") for name, f in rows]
    return [row("judge", "kappa [95 %]", "AUC", "AUC inside an answer"), "|---|---|---|---|", *shown]


def parts(report: dict[str, Any], name: str) -> list[str]:
    """Return the table of one way to split the test answers."""
    shown = [
        row(
            part, f["points"], interval(f["kappa"]), f"{f['accuracy']:.2f}", f"{f['bias']:+.2f}", f"{f['coverage']:.0%}"
        )
        for part, f in report["test"][name].items()
    ]
    return [
        row(name, "points", "kappa [95 %]", "accuracy of four", "bias", "decided"),
        "|---|---|---|---|---|---|",
        *shown,
    ]


def verdicts(report: dict[str, Any]) -> list[str]:
    """Return the table of verdicts."""
    shown = [
        row(v, f["labelled"], f"{f['precision']:.2f}", f"{f['recall']:.2f}", f"{f['f1']:.2f}")
        for v in ("covered", "partial", "missed", "contradicted")
        for f in (report["test"]["all"][v],)
    ]
    return [row("verdict", "labelled", "precision", "recall", "F1"), "|---|---|---|---|---|", *shown]


def page(report: dict[str, Any]) -> str:
    """Return the tables of the page."""
    test = report["test"]
    second = report["second_reader_all_splits"]
    lines = [
        "## Figures asked and measured",
        "",
        row("figure", "asked", "measured"),
        "|---|---|---|",
        *(row(name, asked, value(report)) for name, asked, value in TARGETS),
        "",
        "## Judges beside each other, on the same answers",
        "",
        *judges(report),
        "",
        *verdicts(report),
        "",
        *parts(report, "language"),
        "",
        *parts(report, "kind"),
        "",
        "## Whole answers",
        "",
        row("figure", "value"),
        "|---|---|",
        *(row(name.replace("_", " "), value) for name, value in test["scores"].items()),
        "",
        "## Pairs",
        "",
        row("figure", "value"),
        "|---|---|",
        *(row(name.replace("_", " "), value) for name, value in test["pairs"].items()),
        "",
        "## Additions that claim nothing",
        "",
        row("added", "verdicts moved", "score, mean change", "largest"),
        "|---|---|---|---|",
        *(row(name, *figures.values()) for name, figures in report.get("fairness", {}).items()),
        "",
        "## The second reader",
        "",
        f"{second['answers_read']} answers, all splits.",
        "",
        row("part", "points", "same verdict", "kappa, covered or not", "kappa of four"),
        "|---|---|---|---|---|",
        *(row(part, *figures.values()) for part, figures in second.items() if isinstance(figures, dict)),
        "",
    ]
    return "\n".join(lines)


MARK = "<!-- tables: benchmarks/grading_page.py -->"

if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    head = PAGE.read_text("utf-8").split(MARK)[0]
    PAGE.write_text(f"{head}{MARK}\n\n{page(found)}", "utf-8")
