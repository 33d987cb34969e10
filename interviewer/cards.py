"""Cards: questions with their rubric points, read from YAML and validated with file and line."""

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from interviewer.errors import KnowledgeError
from interviewer.language import Lang

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
LEAST_POINTS = 4
DIGEST = 32
"""Letters of a hash that tell one text from another."""
Keys = tuple[Annotated[tuple[Words, ...], Field(min_length=1)], ...]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Bilingual(_Read):
    """The same words in both languages."""

    en: Words
    zh: Words

    def get(self, lang: Lang) -> str:
        """Return the wording in one language."""
        return self.zh if lang == "zh" else self.en


class Source(Bilingual):
    """A verbatim piece of one line of a note, in each language."""

    note: Name | None = None
    """Name of the note; the card's topic when absent."""


class Value(_Read):
    """The number that a point of a computed card stands for."""

    step: Words
    """Which result of the formula."""
    unit: str = ""
    """Unit asked for: a number without one is read in it."""
    tolerance: float = Field(default=0.03, gt=0, lt=0.5)
    """Relative."""
    expected: float | None = None
    """In base units; set when the card is drawn."""


class Computed(_Read):
    """How the numbers of a card come about."""

    formula: str
    """Name of a function of interviewer.computed.formulas."""
    draw: dict[str, Annotated[list[float | int], Field(min_length=1)]]
    """Numbers to choose from, for each argument of the formula."""


class Point(_Read):
    """One atomic, checkable claim."""

    id: Name
    weight: int = Field(ge=1, le=3)
    text: Bilingual
    source: Source
    keys: Keys = ()
    """Groups of wordings; an answer that makes the point says one of each group."""
    value: Value | None = None
    """Of a computed card: what code compares the answer's numbers with."""
    follow_up: Bilingual


class Misconception(_Read):
    """A wrong claim that candidates make."""

    id: Name
    claim: Bilingual
    why: Bilingual
    contradicts: list[Name] = Field(min_length=1)
    """Points that are contradicted when the claim is made."""
    keys: Keys = Field(min_length=1)


class Card(_Read):
    """A question with its rubric."""

    id: Name
    topic: str = ""
    difficulty: Literal[1, 2, 3, 4, 5]
    prerequisites: list[Name] = []
    """Topics that one should know first."""
    subject: Bilingual
    question: Bilingual
    points: list[Point] = Field(min_length=2, max_length=8)
    hints: list[Bilingual] = Field(min_length=1, max_length=4)
    misconceptions: list[Misconception] = []
    reference: Bilingual
    computed: Computed | None = None
    """Its texts name numbers in braces, such as {layers} or {total:GiB}; the last point is the result."""

    @model_validator(mode="after")
    def _points_fit(self) -> "Card":
        if self.computed is None and len(self.points) < LEAST_POINTS:
            raise ValueError(f"a card has at least {LEAST_POINTS} points")
        if any((point.value is None) != (self.computed is None) for point in self.points):
            raise ValueError("the points of a computed card, and of no other, each have a value")
        return self

    def point(self, point_id: str) -> Point:
        """Return a point by its id."""
        return next(point for point in self.points if point.id == point_id)


class Topic(_Read):
    """One file of cards."""

    topic: Name
    title: Bilingual
    cards: list[Card] = Field(min_length=1)


class Problem(_Read):
    """What is wrong, and where."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class BadCards(KnowledgeError):
    """A file of cards is wrong."""

    def __init__(self, problems: list[Problem]) -> None:
        more = f" (and {len(problems) - 1} more; `interviewer cards check` lists them)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = problems


class CardFile:
    """A parsed file of cards that remembers its lines.

    Raises:
        BadCards: the file is not what the schema says; every problem has its line.
    """

    def __init__(self, path: Path, *, name: str, cache: Path | None = None) -> None:
        self.name = name
        self._nodes: yaml.Node | None = None
        try:
            self._text = path.read_text(encoding="utf-8")
            data = _parsed(self._text, path.stem, cache)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BadCards([Problem(file=name, line=line, message=f"not YAML: {error.problem}")]) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise BadCards([Problem(file=name, line=1, message=f"not UTF-8 YAML: {error}")]) from error
        except OSError as error:
            raise BadCards([Problem(file=name, line=1, message=f"cannot be read: {error.strerror}")]) from error
        self.topic = self._validate(data)

    def _validate(self, data: Any) -> Topic:
        if not isinstance(data, dict):
            raise BadCards([Problem(file=self.name, line=1, message="not a mapping with topic, title and cards")])
        try:
            topic = Topic.model_validate(data)
        except ValidationError as error:
            raise BadCards(
                [
                    Problem(file=self.name, line=self.line(e["loc"]), message=f"{_where(e['loc'])}: {e['msg']}")
                    for e in error.errors()
                ]
            ) from error
        cards = [card.model_copy(update={"topic": topic.topic}) for card in topic.cards]
        return topic.model_copy(update={"cards": cards})

    def line(self, location: tuple[int | str, ...]) -> int:
        """Return the line (from 1) of a place such as ("cards", 3, "points")."""
        if self._nodes is None:
            self._nodes = yaml.compose(self._text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        node: Any = self._nodes
        line = 1
        for step in location:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


def _parsed(text: str, name: str, cache: Path | None) -> Any:
    """Return what a YAML text holds; what was parsed once is kept as JSON, which reads ten times as fast."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if cache is None:
        return yaml.load(text, Loader=loader)
    kept = cache / f"{name}.{hashlib.sha256(text.encode()).hexdigest()[:DIGEST]}.json"
    with suppress(OSError, ValueError):
        return json.loads(kept.read_text("utf-8"))
    data = yaml.load(text, Loader=loader)
    fresh = kept.with_suffix(f".{os.getpid()}")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
        fresh.replace(kept)
        for old in set(cache.glob(f"{glob.escape(name)}.{'?' * DIGEST}.json")) - {kept}:
            old.unlink(missing_ok=True)
    except (OSError, TypeError):
        # A home that cannot be written, or YAML that JSON has no words for: it is parsed again next time.
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    return data


def _child(node: Any, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in location)


def read_cards(folder: Path, *, cache: Path | None = None) -> Iterator[CardFile | BadCards]:
    """Read each cards/*.yaml of a knowledge folder, in order of name; a wrong file comes as its error."""
    for path in sorted((folder / "cards").glob("*.yaml")):
        try:
            stat = path.stat()
            yield _cached(path, cache, stat.st_mtime_ns, stat.st_size)
        except BadCards as error:
            yield error


@lru_cache(maxsize=256)
def _cached(path: Path, cache: Path | None, _modified: int, _size: int) -> CardFile:
    return CardFile(path, name=f"cards/{path.name}", cache=cache)
