"""How fast is it to start and to grade, and how much memory does it take? Prints JSON."""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from interviewer.grading.grade import task_of
from interviewer.grading.offline import OfflineJudge
from interviewer.library import open_library
from interviewer.retrieval.embedder import embedder
from interviewer.settings import MINILM, data_folder

RUNS = 7


def seconds(*arguments: str, home: str) -> float:
    """Return the wall seconds of one run of the command line."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "interviewer", *arguments],
        env={**os.environ, "INTERVIEWER_HOME": home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - started


def serving(home: str) -> tuple[float, int]:
    """Return the seconds until the web chat answers, and the most memory it took, in MB."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "interviewer", "serve", "--port", str(port)],
        env={**os.environ, "INTERVIEWER_HOME": home},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while True:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
                    page.read()
                    break
                time.sleep(0.05)
            taken = time.perf_counter() - started
            status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
            return taken, int(status.split("VmHWM:")[1].split()[0]) // 1024
        finally:
            process.terminate()


def grading() -> list[float]:
    """Return the milliseconds of judging answers of about 120 words, each on the points of its card (4 to 6)."""
    library = open_library(data_folder("knowledge"))
    judge = OfflineJudge(embedder(MINILM), library.glossary)
    cards = list(library.cards.values())
    judge.verdicts(task_of(cards[0], cards[0].reference.en, lang="en"))
    times = []
    for card, other in zip(cards, cards[1:] + cards[:1], strict=True):
        words = f"{card.reference.en} {other.reference.en}".split()[:120]
        task = task_of(card, " ".join(words), lang="en")
        started = time.perf_counter()
        judge.verdicts(task)
        times.append(1000 * (time.perf_counter() - started))
    return times


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        seconds("index", home=home)
        helps = [seconds("--help", home=home) for _ in range(RUNS)]
        # Input ends at once: the run is over as soon as the first question was asked.
        practice = [seconds("practice", "--questions", "1", "--json", home=home) for _ in range(RUNS)]
        served = [serving(home) for _ in range(3)]
    times = grading()
    print(
        json.dumps(
            {
                "help_s_median": round(statistics.median(helps), 3),
                "practice_to_first_question_s_median": round(statistics.median(practice), 3),
                "serve_to_first_page_s_median": round(statistics.median(seconds for seconds, _ in served), 3),
                "serve_peak_mb": max(memory for _, memory in served),
                "grade_ms_p50": round(statistics.median(times), 1),
                "grade_ms_max": round(max(times), 1),
                "grading_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "command_peak_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
                "cores": os.cpu_count(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
