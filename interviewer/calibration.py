"""What was measured of a judge, kept beside the sessions: how far to trust it, and whether that still holds.

`interviewer calibrate` measures; the chat, the terminal and `doctor` show one line of it. A measurement belongs to one
judge, one set of prompts and one way to ask: when any of them changes it is stale, and that is said.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from interviewer.cards import Bilingual
from interviewer.errors import unwritable
from interviewer.language import LANGS, Lang
from interviewer.settings import PACKAGE, Settings, data_folder

STACK = PACKAGE / "grading" / "judge" / "stack.json"
WEAK = 0.5
"""Kappa under which a judge is warned of."""
SHIPPED = PACKAGE / "grading" / "judge" / "agreement.json"
"""What was measured of the offline judge, on answers to cards that it was not trained on."""
PROMPTS = ("system", "card", "judge", "judge_again", "verdict")
AGREES = Bilingual(en="this judge agrees with the labels: {figures}", zh="这位评分者与标注的一致程度：{figures}")
KAPPA = Bilingual(en="kappa {kappa:.2f} {lang}", zh="{lang} kappa {kappa:.2f}")
GENEROUS = Bilingual(en="{share:.0%} too generous", zh="偏宽 {share:.0%}")
STRICT = Bilingual(en="{share:.0%} too strict", zh="偏严 {share:.0%}")
WARNING = Bilingual(en="agreement is weak: read its verdicts with care", zh="一致程度偏低，判定仅供参考")
STALE = Bilingual(
    en="it was measured with other prompts or settings; `interviewer calibrate` measures it again",
    zh="这是用别的提示词或设置测的；`interviewer calibrate` 可以重新测",
)
UNKNOWN = Bilingual(
    en="how far this judge agrees with the labels was not measured; `interviewer calibrate` does",
    zh="这位评分者与标注的一致程度还没有测过；`interviewer calibrate` 可以测",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was measured in one language."""

    points: int
    kappa: float
    """Covered or not, against the labels."""
    bias: float
    """Share of points judged covered less the share labelled so: above 0 is generous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured of one judge."""

    judge: str
    key: str
    """Hash of the prompts and of the settings it was asked with."""
    at: str
    answers: int
    by_language: Mapping[Lang, Agreement]
    tokens: int = 0
    """Of prompts and replies together, over all calls."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Calibration":
        """Read what `as_json` wrote."""
        return cls(**{**data, "by_language": {lang: Agreement(**row) for lang, row in data["by_language"].items()}})


def key_of(settings: Settings, judge: str) -> str:
    """Return the hash of everything that a judge's verdicts depend on, as far as it is ours."""
    if judge == "offline":
        return hashlib.sha256(STACK.read_bytes()).hexdigest()[:16]
    said = [data_folder("prompts") / "llm" / f"{name}.{lang}.md" for name in PROMPTS for lang in LANGS]
    asked = [judge, settings.llm_points_a_call, settings.llm_samples, settings.llm_second_opinion]
    return hashlib.sha256("\0".join([*map(str, asked), *(p.read_text("utf-8") for p in said)]).encode()).hexdigest()[
        :16
    ]


def folder(settings: Settings) -> Path:
    """Return where calibrations are kept."""
    return settings.home / "calibration"


def keep(settings: Settings, calibration: Calibration) -> None:
    """Write a calibration; it replaces the judge's older ones."""
    path = folder(settings) / f"{_name(calibration.judge)}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(calibration.as_json(), ensure_ascii=False, indent=2), "utf-8")
    except OSError as error:
        raise unwritable(settings.home, error) from error


def find(settings: Settings, judge: str) -> Calibration | None:
    """Return what was last measured of a judge; None when nothing was, or it can't be read."""
    own = folder(settings) / f"{_name(judge)}.json"
    for path in (own, SHIPPED) if judge == "offline" else (own,):
        try:
            return Calibration.from_json(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def trust(settings: Settings, judge: str, *, lang: Lang) -> str:
    """Say in one line how far a judge agrees with the labels, and what to mind."""
    found = find(settings, judge)
    if found is None:
        return UNKNOWN.get(lang)
    parts = [KAPPA.get(lang).format(kappa=row.kappa, lang=name) for name, row in sorted(found.by_language.items())]
    bias = sum(row.bias * row.points for row in found.by_language.values()) / max(
        1, sum(row.points for row in found.by_language.values())
    )
    if abs(bias) >= 0.005:
        parts.append((GENEROUS if bias > 0 else STRICT).get(lang).format(share=abs(bias)))
    line = AGREES.get(lang).format(figures=("，" if lang == "zh" else ", ").join(parts))
    notes = [WARNING.get(lang)] if min(row.kappa for row in found.by_language.values()) < WEAK else []
    if found.key != key_of(settings, judge):
        notes.append(STALE.get(lang))
    return ("；" if lang == "zh" else "; ").join([line, *notes])


def _name(judge: str) -> str:
    return hashlib.sha256(judge.encode()).hexdigest()[:16]
