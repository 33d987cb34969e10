"""Starts a topic: two notes and a card that is whole but for its words."""

import re
from pathlib import Path

from interviewer.errors import ConfigError, unwritable

NOTE = {
    "en": "# {title}\n\n## The idea\n\nThis line states what the first point claims, and cites who found it [key].\n",
    "zh": "# {title}\n\n## 基本思路\n\n这一行说出第一个得分点的论断，并注明出处 [key]。\n",
}
CARD = """\
topic: {topic}
title: {{en: {title}, zh: {title}}}
cards:
- id: {topic}-first
  difficulty: 2                 # 1 knows the word … 5 can argue an open question
  prerequisites: []             # topics to know first
  subject: {{en: SUBJECT, zh: 主题}}
  question:
    en: What is the SUBJECT?
    zh: 主题是什么？
  points:                       # 4 to 6, each one checkable claim
{points}
  hints:
  - en: A hint that gives nothing away.
    zh: 一个不泄底的提示。
  misconceptions:
  - id: wrong-claim
    claim: {{en: The wrong claim as candidates make it., zh: 候选人常说的错误说法。}}
    why: {{en: Why it is wrong., zh: 为什么不对。}}
    contradicts: [point-1]
    keys: [[wrong claim, 错误说法]]
  reference:
    en: A spoken answer of 60 to 150 words that makes every point, FACT 1, FACT 2, FACT 3 and FACT 4.
    zh: 一段 100 到 260 字的口语回答，说到每个得分点：事实 1、事实 2、事实 3、事实 4。
"""
POINT = """\
  - id: point-{n}
    weight: 2
    text: {{en: The claim number {n}., zh: 第 {n} 个论断。}}
    source: {{en: states what the first point claims, zh: 说出第一个得分点的论断}}
    keys: [[FACT {n}, 事实 {n}]]   # 2 or 3 groups of wordings; an answer that makes the point says one of each
    follow_up: {{en: A question that asks for it?, zh: 一个追问？}}"""


def start_topic(topic: str, knowledge: Path) -> list[Path]:
    """Write the files of a new topic; nothing is overwritten.

    Raises:
        ConfigError: the name will not do, or there is such a topic.
        StorageError: the folder cannot be written.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", topic):
        raise ConfigError(f"{topic!r} is no name for a topic; use lower-case words joined by dashes, such as kv-cache")
    title = topic.replace("-", " ").capitalize()
    points = "\n".join(POINT.format(n=n) for n in range(1, 5))
    files = {
        knowledge / "notes" / f"{topic}.en.md": NOTE["en"].format(title=title),
        knowledge / "notes" / f"{topic}.zh.md": NOTE["zh"].format(title=title),
        knowledge / "cards" / f"{topic}.yaml": CARD.format(topic=topic, title=title, points=points),
    }
    if there := next((path for path in files if path.exists()), None):
        raise ConfigError(f"{there} is there already; choose another name")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise unwritable(knowledge, error) from error
    return list(files)
