"""The library: the notes and cards of a folder, and the passages that they rest on."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from interviewer.cards import BadCards, Bilingual, Card, CardFile, Point, Problem, read_cards
from interviewer.computed.draw import draw, ready
from interviewer.drafts import read_drafts
from interviewer.errors import KnowledgeError
from interviewer.language import LANGS, Glossary, Lang, glossary, language_of
from interviewer.settings import Settings

HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
CITED = re.compile(r" ?\[([a-z]+\d{4}[a-z0-9]*)\]")
"""A source in a line of a note, by its key in SOURCES.md."""
PASSAGE_CHARACTERS = {"en": 1400, "zh": 650}
"""Longest passage: most sections are one. A Chinese character is worth about two letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk of a note: what Chroma holds and what a citation points at."""

    id: str
    file: str
    """Path inside the knowledge folder, such as notes/peft.en.md."""
    lang: Lang
    heading: str
    """Heading path, joined by " > "."""
    lines: tuple[int, int]
    """First and last line, from 1."""
    text: str
    note: str
    """Name of the note."""

    @property
    def cite(self) -> str:
        """Return file and lines, such as notes/peft.en.md:12-18."""
        return f"{self.file}:{self.lines[0]}-{self.lines[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A document of study material."""

    name: str
    file: str
    lang: Lang
    text: str

    @property
    def lines(self) -> list[str]:
        """Return the lines of the note."""
        return self.text.split("\n")

    def passages(self) -> Iterator[Passage]:
        """Cut at headings, then at lines where a section is long."""
        headings: list[str] = []
        block: list[tuple[int, str]] = []
        for number, line in enumerate(self.lines, start=1):
            match = HEADING.match(line)
            if match:
                yield from self._cut(headings, block)
                block = []
                headings = [*headings[: len(match[1]) - 1], match[2]]
            elif line.strip():
                block.append((number, line))
        yield from self._cut(headings, block)

    def _cut(self, headings: list[str], block: list[tuple[int, str]]) -> Iterator[Passage]:
        total = sum(len(text) for _, text in block)
        share = total / max(1, math.ceil(total / PASSAGE_CHARACTERS[self.lang]))
        group: list[tuple[int, str]] = []
        size = 0
        for row in block:
            if group and size + len(row[1]) / 2 > share:
                yield self._passage(headings, group)
                group, size = [], 0
            group.append(row)
            size += len(row[1])
        if group:
            yield self._passage(headings, group)

    def _passage(self, headings: list[str], rows: list[tuple[int, str]]) -> Passage:
        first, last = rows[0][0], rows[-1][0]
        return Passage(
            id=f"{self.file}:{first}-{last}",
            file=self.file,
            lang=self.lang,
            heading=" > ".join(headings),
            lines=(first, last),
            text="\n".join(text for _, text in rows),
            note=self.name,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """The line of a note that a point rests on."""

    file: str
    line: int
    heading: str
    text: str

    @property
    def cite(self) -> str:
        """Return file and line, such as notes/peft.en.md:12."""
        return f"{self.file}:{self.line}"


class Cards(dict[str, Card]):
    """Cards by id; `kv-size@7` is the computed card `kv-size`, drawn with seed 7."""

    def __missing__(self, name: str) -> Card:
        """Draw a computed card."""
        origin, _, seed = name.partition("@")
        card = dict.get(self, origin)
        if card is None or card.computed is None or not seed.isdigit():
            raise KeyError(name)
        return draw(card, int(seed))

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a card, drawn or not."""
        return isinstance(name, str) and self.get(name) is not None

    def get(self, name: str, default: Card | None = None) -> Card | None:  # type: ignore[override]
        """Return a card, drawn where it must be, or the default."""
        try:
            return self[name]
        except KeyError:
            return default


@dataclass(frozen=True)
class Library:
    """Notes and cards of a folder: what can be asked."""

    folder: Path
    notes: tuple[Note, ...]
    card_files: tuple[CardFile, ...]
    problems: tuple[Problem, ...] = field(default=())
    """What is wrong in files that could not be read."""

    @cached_property
    def cards(self) -> Cards:
        """Cards by id."""
        return Cards({card.id: card for file in self.card_files for card in file.topic.cards})

    @property
    def examples(self) -> tuple[Card, ...]:
        """All cards as they may be asked: computed ones with the numbers of one draw."""
        return tuple(ready(card, 0) for card in self.cards.values())

    @cached_property
    def titles(self) -> dict[str, Bilingual]:
        """Titles of the topics by name."""
        return {file.topic.topic: file.topic.title for file in self.card_files}

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """Passages of all notes."""
        return tuple(passage for note in self.notes for passage in note.passages())

    @cached_property
    def points_on(self) -> dict[str, tuple[Point, ...]]:
        """Points by the id of the passage that they rest on; drafted cards have none here: an index outlives them."""
        found: dict[str, list[Point]] = {}
        for file in self.card_files:
            for card in (ready(card, 0) for card in file.topic.cards):
                for point in card.points:
                    for lang in LANGS:
                        if ground := self.ground(card, point, lang):
                            found.setdefault(ground[1].id, []).append(point)
        return {name: tuple(points) for name, points in found.items()}

    @cached_property
    def glossary(self) -> Glossary:
        """Glossary of the folder, or the shipped one."""
        return glossary(self.folder)

    def cited(self, card: Card, point: Point, lang: Lang) -> Citation | None:
        """Return the line a point rests on; None when no line of the note holds its quote.

        Of a note that there is in one language only, the line in that one.
        """
        name = point.source.note or card.topic
        note = self._note(name, lang) or self._note(name, "zh" if lang == "en" else "en")
        if note is None:
            return None
        quote = point.source.get(lang)
        for number, line in enumerate(note.lines, start=1):
            if quote in line:
                return Citation(file=note.file, line=number, heading=_heading(note.lines[:number]), text=line.strip())
        return None

    def passage_at(self, file: str, line: int) -> Passage | None:
        """Return the passage that holds a line of a note."""
        return next((p for p in self.passages if p.file == file and p.lines[0] <= line <= p.lines[1]), None)

    def passages_of(self, card: Card, lang: Lang) -> tuple[Passage, ...]:
        """Return the passages a card stands on, in order of its points."""
        found: dict[str, Passage] = {}
        for point in card.points:
            if ground := self.ground(card, point, lang):
                found.setdefault(ground[1].id, ground[1])
        return tuple(found.values())

    def ground(self, card: Card, point: Point, lang: Lang) -> tuple[Citation, Passage] | None:
        """Return the line a point rests on and the passage that holds it; None when there is no such line."""
        citation = self.cited(card, point, lang)
        passage = self.passage_at(citation.file, citation.line) if citation else None
        return (citation, passage) if citation and passage else None

    def add(self, file: CardFile) -> None:
        """Take in the cards of one more file, drafted while the library is open."""
        self.cards.update({card.id: card for card in file.topic.cards})
        self.titles[file.topic.topic] = file.topic.title

    def _note(self, name: str, lang: Lang) -> Note | None:
        return next((note for note in self.notes if note.name == name and note.lang == lang), None)


def _heading(lines: list[str]) -> str:
    path: list[str] = []
    for line in lines:
        match = HEADING.match(line)
        if match:
            path = [*path[: len(match[1]) - 1], match[2]]
    return " > ".join(path)


def _read_note(path: Path, *, folder: Path) -> Note:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise KnowledgeError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    name, _, suffix = path.stem.rpartition(".")
    lang: Lang = suffix if suffix in ("en", "zh") else (language_of(text) or "en")  # type: ignore[assignment]
    return Note(
        name=name if name and suffix in ("en", "zh") else path.stem,
        file=path.relative_to(folder).as_posix(),
        lang=lang,
        text=text.replace("\r\n", "\n"),
    )


def read_library(folder: Path, *, cache: Path | None = None) -> Library:
    """Read a knowledge folder; wrong files of cards become problems. `cache` keeps what was parsed.

    Raises:
        KnowledgeError: there is no folder, or nothing in it.
    """
    if not (folder / "notes").is_dir():
        raise KnowledgeError(
            f"no notes folder at {folder / 'notes'}; put Markdown notes there or set INTERVIEWER_KNOWLEDGE"
        )
    notes = tuple(_read_note(path, folder=folder) for path in sorted((folder / "notes").rglob("*.md")))
    if not any(note.text.strip() for note in notes):
        raise KnowledgeError(f"{folder / 'notes'} holds no notes; put Markdown files (*.md) there")
    files: list[CardFile] = []
    problems: list[Problem] = []
    for file in read_cards(folder, cache=cache):
        if isinstance(file, BadCards):
            problems += file.problems
        else:
            files.append(file)
    return Library(folder=folder, notes=notes, card_files=tuple(files), problems=tuple(problems))


def open_library(folder: Path, *, drafts: Path | None = None, cache: Path | None = None) -> Library:
    """Read a knowledge folder that must be without problems and hold cards; drafted cards are taken in too.

    Raises:
        KnowledgeError: as `read_library`, or no cards.
        BadCards: a file of cards is wrong.
    """
    library = read_library(folder, cache=cache)
    if library.problems:
        raise BadCards(list(library.problems))
    if not library.cards:
        raise KnowledgeError(f"{folder / 'cards'} holds no cards; `interviewer cards check` says what is missing")
    for file in read_drafts(drafts) if drafts else ():
        library.add(file)
    return library


def library_of(settings: Settings) -> Library:
    """Open the library of the settings, the drafted cards of this home with it. Raises as `open_library`."""
    return open_library(settings.knowledge, drafts=settings.drafts, cache=settings.parsed_cards)
