"""The commands of `interviewer`: parse, call, print."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from interviewer import __version__
from interviewer.cli import cards
from interviewer.cli.shared import AsJson, EngineOption, LangOption, put, run, say
from interviewer.errors import ConfigError, InterviewerError
from interviewer.settings import Settings, load_settings

app = typer.Typer(
    name="interviewer",
    help="A mock interviewer for LLM-engineer interviews, grounded in your own notes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sessions_app = typer.Typer(help="List, show, delete and export saved sessions.", no_args_is_help=True)
config_app = typer.Typer(help="Show the settings.", no_args_is_help=True)
app.add_typer(cards.app, name="cards")
app.add_typer(sessions_app, name="sessions")
app.add_typer(config_app, name="config")


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
def evaluate(
    file: Annotated[Path, typer.Argument(help="Labelled answers, JSON lines; or a folder of such files.")],
    split: Annotated[
        Literal["train", "dev", "test"] | None, typer.Option(help="Only answers to the cards of one split.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--page", help="Write an HTML report here.")] = None,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well the judge agrees with labelled answers."""
    from interviewer.cli.evaluate import evaluate_file

    settings = load_settings(engine=engine)
    sys.exit(run(evaluate_file(file, split=split, page=page, as_json=as_json, settings=settings)))


@app.command()
def calibrate(
    answers: Annotated[int, typer.Option(min=10, help="How many labelled answers to judge.")] = 120,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure the configured judge on labelled answers that ship, and keep how far to trust it."""
    from interviewer.cli.calibrate import calibrate as measure

    sys.exit(run(measure(load_settings(engine=engine), answers=answers, as_json=as_json)))


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
