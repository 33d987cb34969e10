"""Answers with labels: who wrote what to which card, and the verdict a reader gave each point.

`knowledge/answers/TOPIC.jsonl` holds the product's own; `knowledge/LABELLING.md` says how they were labelled. A file of
the reader's own has the lines of `interviewer grade` with `verdicts`, a `score`, or both beside the answer.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from interviewer.errors import ConfigError
from interviewer.language import Lang

Label = Literal["covered", "partial", "missed", "contradicted"]
LABELS: tuple[Label, ...] = ("covered", "partial", "missed", "contradicted")
Split = Literal["train", "dev", "test"]
SHARES: tuple[tuple[Split, int], ...] = (("test", 22), ("dev", 36), ("train", 100))
"""Upper ends of the splits, in per cent of the hashes; fixed for good."""
Words = Annotated[str, StringConstraints(min_length=1)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)


class PointLine(_Read):
    """A point that stands in the line itself."""

    id: str
    text: Words
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Pair(_Read):
    """How an answer differs from another: one claim taken out, turned round or put right, the rest as it was."""

    of: str
    point: str
    """The only point whose verdict moves."""
    change: Literal["removed", "reversed", "righted"]


class LabelledAnswer(_Read):
    """One answer with the verdict of each point; the card by its id, or question and points in the line itself."""

    id: str
    card: str | None = None
    lang: Lang = "en"
    """Language of the question and of the points, not always that of the answer."""
    question: str = ""
    points: tuple[PointLine, ...] = ()
    reference: str | list[str] | None = None
    """Where there are no points, what the answer is compared with; of several, the nearest counts."""
    answer: str
    verdicts: dict[str, Label] = {}
    score: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What a human gave the whole answer."""
    max_score: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    kind: str = ""
    tone: str = ""
    pair: Pair | None = None
    translates: str | None = None
    """The answer that this one says again in the other language."""
    blind: dict[str, Label] | None = None
    """Verdicts of a second reader who saw neither these nor the plan of the answer."""
    question_id: str = ""

    @model_validator(mode="after")
    def _complete(self) -> "LabelledAnswer":
        if not (self.card or self.points or self.reference):
            raise ValueError("it names no card and has neither points nor a reference")
        if not self.verdicts and self.score is None:
            raise ValueError("it has no label: neither verdicts nor a score")
        if self.score is not None and self.score > self.max_score:
            raise ValueError(f"its score {self.score:g} is above its max_score {self.max_score:g}")
        if len({point.id for point in self.points}) < len(self.points):
            raise ValueError("two points have one id")
        return self

    @property
    def references(self) -> list[str]:
        """What the answer is compared with where there are no points."""
        return [self.reference] if isinstance(self.reference, str) else self.reference or []

    @property
    def group(self) -> str:
        """What it is an answer to: the unit that intervals are drawn over."""
        return self.card or self.question_id or self.question or self.id


def split_of(card: str) -> Split:
    """Return the split of a card; all answers to a card stand in one."""
    place = int(hashlib.sha256(card.encode()).hexdigest()[:8], 16) % 100
    return next(split for split, end in SHARES if place < end)


def read_labelled(path: Path) -> list[LabelledAnswer]:
    """Read a file of labelled answers, or all of a folder.

    Raises:
        ConfigError: a file can't be read or a line is not a labelled answer; it names file and line.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{path} holds no .jsonl file")
    return [answer for file in files for answer in _answers(file)]


def _answers(file: Path) -> Iterator[LabelledAnswer]:
    for number, text in enumerate(read_lines(file), start=1):
        if text.strip():
            try:
                yield LabelledAnswer.model_validate({"id": f"line {number}", **json.loads(text)})
            except (ValueError, TypeError) as error:
                raise ConfigError(f"{file}, {why_unreadable(number, error)}") from error


def read_lines(file: Path) -> list[str]:
    """Return the lines of a UTF-8 file.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        return file.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8: {error}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error


def why_unreadable(number: int, error: Exception) -> str:
    """Say in one line why a line of JSON can't be used."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"line {number}: {'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
    return f"line {number}: not a JSON object: {error}"
