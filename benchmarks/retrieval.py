"""Does search find the passage that answers a question, in the same language and across? Prints JSON.

Figures: recall@5 over the 100 questions of retrieval_questions.jsonl (a hit: one of the five passages holds the line
that answers it), with and without each half of the fusion; over the 200 of note_questions.jsonl, which ask for what the
cards ask in other words (a hit: one of the five passages is of the right note); and the time of one search.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interviewer.language import LANGS, Lang
from interviewer.library import Library, Passage, open_library
from interviewer.retrieval.embedder import embedder
from interviewer.retrieval.index import SearchIndex, open_index
from interviewer.settings import MINILM, data_folder

QUESTIONS = Path(__file__).with_name("retrieval_questions.jsonl")
NOTE_QUESTIONS = Path(__file__).with_name("note_questions.jsonl")
LIMIT = 5
Search = Callable[[str, Lang | None], list[str]]


def answers(library: Library, row: dict[str, Any], lang: Lang) -> set[str]:
    """Return the ids of the passages of one language that hold the answer of a question."""
    file, source = f"notes/{row['note']}.{lang}.md", row["source"][lang]
    found = {p.id for p in library.passages if p.file == file and source in p.text}
    if not found:
        raise SystemExit(f"{row['id']}: {source!r} stands in no passage of {file}")
    return found


def recall(library: Library, rows: list[dict[str, Any]], search: Search) -> dict[str, float]:
    """Return the share of questions answered among the first five passages."""
    hits: dict[str, list[bool]] = {"same_language": [], "across": [], "any": []}
    for row in rows:
        lang: Lang = row["lang"]
        other: Lang = "zh" if lang == "en" else "en"
        right = {name: answers(library, row, name) for name in LANGS}
        hits["same_language"].append(bool(right[lang] & set(search(row["question"], lang))))
        hits["across"].append(bool(right[other] & set(search(row["question"], other))))
        hits["any"].append(bool((right[lang] | right[other]) & set(search(row["question"], None))))
    return {name: round(statistics.mean(found), 3) for name, found in hits.items()}


def note_recall(index: SearchIndex, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the share of questions with the right note among the first five passages."""
    hits: dict[str, list[bool]] = {"same_language": [], "across": [], "any": []}
    for row in rows:
        lang: Lang = row["lang"]
        wanted: dict[str, Lang | None] = {"same_language": lang, "across": "zh" if lang == "en" else "en", "any": None}
        for name, only in wanted.items():
            found = {passage.note for passage, _ in index.search(row["question"], limit=LIMIT, lang=only)}
            hits[name].append(row["topic"] in found)
    return {name: round(statistics.mean(found), 3) for name, found in hits.items()}


def times(index: SearchIndex, rows: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds of each search, after a warm-up."""
    taken = []
    for row in rows[:5] + rows:
        started = time.perf_counter()
        index.search(row["question"], limit=LIMIT)
        taken.append(1000 * (time.perf_counter() - started))
    return taken[5:]


def main() -> None:
    """Measure and print."""
    library = open_library(data_folder("knowledge"))
    rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]

    def ids(found: list[tuple[Passage, float]]) -> list[str]:
        return [passage.id for passage, _ in found]

    with tempfile.TemporaryDirectory() as root:
        index = open_index(library, embedder(MINILM), root=Path(root))
        table = {
            "fused": recall(library, rows, lambda text, lang: ids(index.search(text, limit=LIMIT, lang=lang))),
            "dense_only": recall(library, rows, lambda text, lang: index.dense(text, lang=lang)[:LIMIT]),
            "exact_only": recall(library, rows, lambda text, lang: index.exact(text, lang=lang)[:LIMIT]),
        }
        by_language = {
            lang: recall(
                library,
                [row for row in rows if row["lang"] == lang],
                lambda text, wanted: ids(index.search(text, limit=LIMIT, lang=wanted)),
            )
            for lang in LANGS
        }
        about = [json.loads(line) for line in NOTE_QUESTIONS.read_text("utf-8").splitlines()]
        notes = {
            "questions": len(about),
            **note_recall(index, about),
            **{lang: note_recall(index, [row for row in about if row["lang"] == lang]) for lang in LANGS},
        }
        taken = times(index, rows)
    print(
        json.dumps(
            {
                "questions": len(rows),
                "passages": len(library.passages),
                "recall_at_5": table,
                "fused_by_language_of_question": by_language,
                "note_recall_at_5": notes,
                "search_ms_p50": round(statistics.median(taken), 1),
                "search_ms_p95": round(statistics.quantiles(taken, n=20)[-1], 1),
                "cores": os.cpu_count(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
