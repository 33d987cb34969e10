"""The commands of `interviewer`: parse, call, print."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from interviewer import __version__
from interviewer.errors import ConfigError, InterviewerError
from interviewer.settings import Settings, load_settings

T = TypeVar("T")
app = typer.Typer(
    name="interviewer",
    help="A mock interviewer for LLM-engineer interviews, grounded in your own notes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cards_app = typer.Typer(help="Look at the cards and check them.", no_args_is_help=True)
sessions_app = typer.Typer(help="List, show, delete and export saved sessions.", no_args_is_help=True)
config_app = typer.Typer(help="Show the settings.", no_args_is_help=True)
app.add_typer(cards_app, name="cards")
app.add_typer(sessions_app, name="sessions")
app.add_typer(config_app, name="config")

EngineOption = Annotated[
    Literal["auto", "offline", "llm"] | None,
    typer.Option("--engine", help="Who speaks and judges; auto: a model server that is found, else offline."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LangOption = Annotated[Literal["en", "zh"] | None, typer.Option("--lang", help="Language of questions.")]


def main() -> None:
    """Run a command; turn every error of ours into one line and its exit code."""
    try:
        app()
    except InterviewerError as error:
        fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def fail(error: InterviewerError) -> None:
    """Print an error as one line and exit with its code."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(error.exit_code)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run async work: the one sync edge."""
    return asyncio.run(work)


def say(line: str = "") -> None:
    """Print for the reader, on stderr: stdout is for data."""
    print(line, file=sys.stderr, flush=True)


def put(data: Any) -> None:
    """Print JSON on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2, default=str), flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    engine: EngineOption = None,
) -> None:
    """Start the web chat."""
    from interviewer.web.server import serve as start

    start(load_settings(host=host, port=port, engine=engine))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": False})
def vllm(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Model to serve: a name, a folder, or `tiny` (random weights, for tries).")
    ] = None,
    profile: Annotated[
        Literal["cpu", "gpu"] | None, typer.Option(help="Configuration; gpu where there is an NVIDIA card.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port on loopback; 8000.")] = None,
) -> None:
    """Start the model server (vLLM); what follows `--` goes to it."""
    from interviewer.cli.vllm import run_server

    sys.exit(run_server(load_settings(), model=model, profile=profile, port=port, extra=context.args))


@app.command()
def practice(
    topic: Annotated[list[str] | None, typer.Option(help="Topic to practise; may be given several times.")] = None,
    about: Annotated[str, typer.Option(help="Practise what your own words describe.")] = "",
    lang: LangOption = None,
    questions: Annotated[int, typer.Option(min=1, max=50, help="How many questions.")] = 5,
    difficulty: Annotated[int | None, typer.Option(min=1, max=5, help="1 recall … 5 disputed matters.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same order of questions.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="ID", help="Go on with a saved session.")] = None,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Practise in the terminal; answers may come from a pipe, one a line."""
    from interviewer.cli.practice import Terminal
    from interviewer.progress import SessionSettings

    settings = load_settings(engine=engine)
    wish = SessionSettings(
        lang=lang or settings.lang,
        topics=tuple(topic or ()),
        about=about,
        difficulty=difficulty,
        questions=questions,
        seed=seed if seed is not None else int.from_bytes(os.urandom(4)),
    )
    sys.exit(run(Terminal(settings, as_json=as_json).practise(wish, resume=resume)))


@app.command()
def grade(
    file: Annotated[Path, typer.Argument(help="JSON lines: id, lang, question, points, answer.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the grades here, not to stdout.")] = None,
    engine: EngineOption = None,
) -> None:
    """Grade the answers of a JSON-lines file, one grade a line."""
    from interviewer.cli.grade import grade_file

    sys.exit(run(grade_file(file, output=output, settings=load_settings(engine=engine))))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many passages.")] = 5,
    lang: LangOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages of the notes nearest to a text, and where they stand."""
    from interviewer.library import read_library
    from interviewer.retrieval.index import index_for

    if not text.strip():
        raise ConfigError("nothing to search for; give some words")
    settings = load_settings()
    found = index_for(settings, read_library(settings.knowledge)).search(text, limit=limit, lang=lang)
    if as_json:
        put(
            [
                {"file": p.file, "heading": p.heading, "lines": list(p.lines), "text": p.text, "score": s}
                for p, s in found
            ]
        )
        return
    for passage, score in found:
        print(f"{passage.cite}  {passage.heading}  ({score:.4f})\n{passage.text}\n")


@app.command()
def index(
    force: Annotated[bool, typer.Option("--force", help="Build it anew.")] = False,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Say nothing when it is up to date.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the search index of the notes."""
    from interviewer.library import read_library

    settings = load_settings()
    library = read_library(settings.knowledge)
    if if_needed and not force and _seems_built(settings):
        return
    from rich.console import Console
    from rich.progress import Progress

    from interviewer.retrieval.embedder import embedder
    from interviewer.retrieval.index import index_for, index_name

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("indexing", total=None)
        index_for(
            settings, library, force=force, progress=lambda done, all_: bar.update(task, completed=done, total=all_)
        )
    path = settings.index_root / index_name(library, embedder(settings.embedder))
    if as_json:
        put({"path": str(path), "passages": len(library.passages), "embedder": settings.embedder})
    else:
        say(f"index of {len(library.passages)} passages is ready in {path}")


def _seems_built(settings: Settings) -> bool:
    """Tell cheaply whether there is an index newer than all notes; opening it checks again."""
    newest = max((path.stat().st_mtime for path in settings.knowledge.rglob("*") if path.is_file()), default=0.0)
    built = [path.stat().st_mtime for path in settings.index_root.glob("*/meta.json")]
    return bool(built) and max(built) > newest


@cards_app.command("check")
def cards_check(as_json: AsJson = False) -> None:
    """Check every card and note; name file and line of what is wrong."""
    from interviewer.library import read_library
    from interviewer.library_check import check, counts
    from interviewer.library_review import coverage_table, review
    from interviewer.retrieval.embedder import embedder

    settings = load_settings()
    library = read_library(settings.knowledge)
    problems = check(library)
    report: dict[str, Any] = {}
    if not problems and library.cards:
        # A review makes sense of cards that are whole.
        problems, report = review(library, embedder(settings.embedder))
    if as_json:
        put({**counts(library), **report, "problems": [problem.model_dump() for problem in problems]})
    else:
        for problem in problems:
            print(problem)
        if report:
            print(coverage_table(library))
            doubtful = report["support"]["doubtful"]
            say(f"{doubtful} points are far from the line they rest on; --json lists the farthest, look at them")
        say(", ".join(f"{count} {name}" for name, count in counts(library).items()) + f", {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@cards_app.command("new")
def cards_new(topic: Annotated[str, typer.Argument(help="Name of the topic, such as kv-cache.")]) -> None:
    """Start a topic: notes in both languages and a card to fill in; CONTRIBUTING.md says how."""
    from interviewer.cli.new_topic import start_topic

    for path in start_topic(topic, load_settings().knowledge):
        print(path)


@cards_app.command("list")
def cards_list(
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    lang: LangOption = None,
    as_json: AsJson = False,
) -> None:
    """List the cards."""
    from interviewer.library import open_library

    settings = load_settings()
    library = open_library(settings.knowledge)
    cards = [card for card in library.examples if topic in (None, card.topic)]
    if topic and not cards:
        raise ConfigError(f"no topic {topic!r}; there are: {', '.join(sorted(library.titles))}")
    if as_json:
        put(
            [
                {
                    "id": c.id,
                    "topic": c.topic,
                    "difficulty": c.difficulty,
                    "points": len(c.points),
                    "question": c.question.model_dump(),
                }
                for c in cards
            ]
        )
        return
    for card in cards:
        print(f"{card.id}  [{card.difficulty}]  {card.question.get(lang or settings.lang)}")


@cards_app.command("show")
def cards_show(card_id: str, lang: LangOption = None, as_json: AsJson = False) -> None:
    """Show one card with its points and sources."""
    from interviewer.library import open_library

    settings = load_settings()
    library = open_library(settings.knowledge)
    found = library.cards.get(card_id)
    if found is None:
        raise ConfigError(f"no card {card_id!r}; `interviewer cards list` shows the ones there are")
    card = library.cards.ready(found, 0)
    if as_json:
        put(card.model_dump())
        return
    wanted = lang or settings.lang
    print(f"{card.id} (difficulty {card.difficulty})\n{card.question.get(wanted)}\n")
    for point in card.points:
        citation = library.cited(card, point, wanted)
        print(f"- ({point.weight}) {point.text.get(wanted)}  [{citation.cite if citation else 'no source'}]")
    print(f"\n{card.reference.get(wanted)}")


@sessions_app.command("list")
def sessions_list(as_json: AsJson = False) -> None:
    """List the saved sessions, newest first."""
    from interviewer.cli.sessions import rows

    found = run(rows(load_settings()))
    if as_json:
        put([{"id": r.id, "created_at": r.created_at.isoformat(), "closed": r.closed, "turns": r.turns} for r in found])
        return
    for row in found:
        print(f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {row.turns} turns  {'closed' if row.closed else 'open'}")
    if not found:
        say("no sessions yet; `interviewer practice` starts one")


@sessions_app.command("show")
def sessions_show(session_id: str, as_json: AsJson = False) -> None:
    """Show what was said in a session."""
    from interviewer.cli.sessions import as_data, transcript

    turns = as_data(run(transcript(load_settings(), session_id)))
    if as_json:
        put(turns)
        return
    for turn in turns["turns"]:
        if turn["text"]:
            print(f"[{turn['role']}] {turn['text']}\n")


@sessions_app.command("delete")
def sessions_delete(session_id: str) -> None:
    """Delete a session for good."""
    from interviewer.cli.sessions import delete

    run(delete(load_settings(), session_id))
    say(f"deleted {session_id}")


@sessions_app.command("export")
def sessions_export(
    session_id: str, output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None
) -> None:
    """Export a session as JSON, hashes included."""
    from interviewer.cli.sessions import as_data, transcript

    data = as_data(run(transcript(load_settings(), session_id)))
    if output is None:
        put(data)
        return
    try:
        output.write_text(json.dumps(data, ensure_ascii=False, indent=2), "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error.strerror}") from error


@app.command()
def report(session_id: str, as_json: AsJson = False) -> None:
    """Print the report of a session, as Markdown or JSON."""
    from interviewer.cli.sessions import report_of

    made = run(report_of(load_settings(), session_id))
    if as_json:
        put(made.as_json())
    else:
        print(made.as_markdown())


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say whether everything that is needed is there."""
    from interviewer.cli.doctor import examine

    findings = examine(load_settings())
    if as_json:
        put({"ok": all(f["ok"] for f in findings), "checks": findings})
    else:
        for finding in findings:
            print(f"{'ok  ' if finding['ok'] else 'FAIL'}  {finding['name']}: {finding['says']}")
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


@config_app.command("show")
def config_show(as_json: AsJson = False) -> None:
    """Show every setting."""
    values = load_settings().model_dump(mode="json")
    if as_json:
        put(values)
        return
    for name, value in values.items():
        print(f"{name} = {value}    (INTERVIEWER_{name.upper()})")


# A second Ctrl-C must not be swallowed by a library's own handler.
signal.signal(signal.SIGINT, signal.default_int_handler)
