"""The commands on cards."""

from typing import Annotated, Any

import typer

from interviewer.cli.shared import AsJson, LangOption, put, say
from interviewer.errors import ConfigError
from interviewer.settings import load_settings

app = typer.Typer(help="Look at the cards, check them, start new ones.", no_args_is_help=True)


@app.command("check")
def check(as_json: AsJson = False) -> None:
    """Check every card and note; name file and line of what is wrong."""
    from interviewer import library_check
    from interviewer.library import read_library
    from interviewer.library_review import coverage_table, review
    from interviewer.retrieval.embedder import embedder

    settings = load_settings()
    library = read_library(settings.knowledge)
    problems = library_check.check(library)
    report: dict[str, Any] = {}
    if not problems and library.cards:
        # A review makes sense of cards that are whole.
        problems, report = review(library, embedder(settings.embedder))
    if as_json:
        put({**library_check.counts(library), **report, "problems": [problem.model_dump() for problem in problems]})
    else:
        for problem in problems:
            print(problem)
        if report:
            print(coverage_table(library))
            doubtful = report["support"]["doubtful"]
            say(f"{doubtful} points are far from the line they rest on; --json lists the farthest, look at them")
        say(
            ", ".join(f"{count} {name}" for name, count in library_check.counts(library).items())
            + f", {len(problems)} problems"
        )
    if problems:
        raise typer.Exit(1)


@app.command("new")
def new(topic: Annotated[str, typer.Argument(help="Name of the topic, such as kv-cache.")]) -> None:
    """Start a topic: notes in both languages and a card to fill in; CONTRIBUTING.md says how."""
    from interviewer.cli.new_topic import start_topic

    for path in start_topic(topic, load_settings().knowledge):
        print(path)


@app.command("list")
def list_(
    topic: Annotated[str | None, typer.Option(help="Only this topic.")] = None,
    lang: LangOption = None,
    as_json: AsJson = False,
) -> None:
    """List the cards."""
    from interviewer.library import library_of

    settings = load_settings()
    library = library_of(settings)
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


@app.command("show")
def show(card_id: str, lang: LangOption = None, as_json: AsJson = False) -> None:
    """Show one card with its points and sources."""
    from interviewer.computed.draw import ready
    from interviewer.library import library_of

    settings = load_settings()
    library = library_of(settings)
    found = library.cards.get(card_id)
    if found is None:
        raise ConfigError(f"no card {card_id!r}; `interviewer cards list` shows the ones there are")
    card = ready(found, 0)
    if as_json:
        put(card.model_dump())
        return
    wanted = lang or settings.lang
    print(f"{card.id} (difficulty {card.difficulty})\n{card.question.get(wanted)}\n")
    for point in card.points:
        citation = library.cited(card, point, wanted)
        print(f"- ({point.weight}) {point.text.get(wanted)}  [{citation.cite if citation else 'no source'}]")
    print(f"\n{card.reference.get(wanted)}")
