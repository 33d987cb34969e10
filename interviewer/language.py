"""Words of both languages: sentences, terms, negation, and the glossary that joins them."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import yaml

from interviewer.errors import KnowledgeError
from interviewer.settings import data_folder

Lang = Literal["en", "zh"]
LANGS: tuple[Lang, ...] = ("en", "zh")

HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
LATIN = re.compile(r"[A-Za-z]")
WORD = re.compile(r"[a-z0-9]+(?:[.'_-][a-z0-9]+)*|[㐀-䶿一-鿿豈-﫿]+")
SENTENCE_END = re.compile(r"(?:[。!?\uff01\uff1f;\uff1b…]+|\.(?=\s|$)|\n)+[”’\"'）)]*\s*")
STOP_EN = frozenset(
    """
    a an the of to in on at by for with from as and or but so that this these those it its is are was were be been
    being do does did have has had can could will would should may might must i you we they he she him her them
    their our your my me what which who whom how when where why then than there here also just very really some any
    such into about over out up if not no nor because while during each s t re ve ll d m one let say know think mean
    like basically actually well um uh
    """.split()
)
STOP_ZH = frozenset(
    """
    的 了 是 在 和 与 及 或 也 就 都 而 把 被 对 从 到 上 下 中 里 这 那 这个 那个
    这些 那些 它 它们 我 我们 你 你们 他 他们 一个 一种 一些 什么 怎么 如何 为什么 哪些
    哪个 以及 并 并且 因为 所以 如果 但 但是 可以 能 会 要 有 没有 不 不是 其 之 个 种
    时 后 前 来 去 吗 呢 吧 啊 嗯 呃 比如 就是 然后 其实 应该 可能 觉得 认为 来说 一下
    进行 通过 用 由 给 让 使 等 等等 又 还 再 更 最 很 只
    """.split()
)
NEGATION_EN = re.compile(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|hardly|instead of|rather than|fails? to|far from|\w+n['’]t)\b"
)
NEGATION_ZH = re.compile(r"不|没|无(?!论)|未|非(?!常)|别|难以|而不|否|勿|缺乏|错误")
DONT_NEGATE_ZH = re.compile(
    r"不仅|不但|不只|不光|不同|不管|不断|不过|无监督|自监督|非线性|不均衡|不平衡|无偏|是不是|能不能|会不会|无关紧要"
)


def dont_know(lang: Lang) -> str:
    """Return the answer of a candidate who doesn't know."""
    return "我不知道" if lang == "zh" else "I don't know"


def normalise(text: str) -> str:
    """Fold width, case and compatibility forms."""
    return unicodedata.normalize("NFKC", text).lower()


def language_of(text: str) -> Lang | None:
    """Tell Chinese from English; None when the text is in neither."""
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return None
    han = len(HAN.findall(text))
    latin = len(LATIN.findall(text))
    if han + latin < 0.5 * len(letters):
        return None
    # A Han character carries about as much as a short English word.
    return "zh" if han * 4 >= latin and han else "en"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text: text == whole[start:end], offsets in characters."""

    text: str
    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """Split into sentences with offsets; spaces at both ends are left out."""
    spans: list[Span] = []
    start = 0
    for end in [match.end() for match in SENTENCE_END.finditer(text)] + [len(text)]:
        piece = text[start:end]
        stripped = piece.strip()
        if stripped and WORD.search(normalise(stripped)):
            first = start + len(piece) - len(piece.lstrip())
            spans.append(Span(stripped, first, first + len(stripped)))
        start = end
    return spans


def negations(text: str) -> int:
    """Count the words that turn a sentence round."""
    folded = normalise(text)
    return len(NEGATION_EN.findall(folded)) + len(NEGATION_ZH.findall(DONT_NEGATE_ZH.sub("", folded)))


def negated(text: str) -> list[str]:
    """Return what follows each negation, up to the end of its clause."""
    folded = DONT_NEGATE_ZH.sub("", normalise(text))
    ends = [match.end() for pattern in (NEGATION_EN, NEGATION_ZH) for match in pattern.finditer(folded)]
    return [re.split(r"[,.;:,。;:、]", folded[end:], maxsplit=1)[0][:60] for end in ends]


@lru_cache(maxsize=1)
def _stemmer() -> "object":
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the English stem of a lower-case word."""
    return str(_stemmer().stemWord(word))  # type: ignore[attr-defined]


class Glossary:
    """Concepts with their wordings in both languages."""

    def __init__(self, concepts: Iterable[tuple[Sequence[str], Sequence[str]]]) -> None:
        self._english: dict[tuple[str, ...], str] = {}
        self._chinese: dict[str, str] = {}
        for english, chinese in concepts:
            name = english[0].lower()
            for wording in english:
                self._english.setdefault(tuple(_english_words(wording.lower())), name)
            for wording in chinese:
                self._chinese.setdefault(normalise(wording), name)
        self._longest = max((len(words) for words in self._english), default=1)

    @classmethod
    def read(cls, path: Path) -> "Glossary":
        """Read glossary.yaml; a folder without one has an empty glossary."""
        if not path.is_file():
            return cls([])
        try:
            rows = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            return cls([(list(map(str, row["en"])), list(map(str, row["zh"]))) for row in rows or []])
        except (yaml.YAMLError, KeyError, TypeError, IndexError) as error:
            raise KnowledgeError(f"{path}: not a list of {{en: [...], zh: [...]}}: {error}") from error

    @cached_property
    def _segmenter(self) -> "object":
        import jieba

        jieba.setLogLevel(logging.WARNING)
        segmenter = jieba.Tokenizer()
        segmenter.initialize()
        for wording in self._chinese:
            segmenter.add_word(wording)
        return segmenter

    def terms(self, text: str) -> list[str]:
        """Return the content words of a text as concepts, in order.

        Words outside the glossary stand for themselves: English stems, Chinese words.
        """
        found: list[str] = []
        english: list[str] = []
        for chunk in WORD.findall(normalise(text)):
            if HAN.match(chunk):
                found += self._english_terms(english)
                english = []
                found += self._chinese_terms(chunk)
            else:
                english += _english_words(chunk)
        return found + self._english_terms(english)

    def _english_terms(self, words: list[str]) -> list[str]:
        found = []
        position = 0
        while position < len(words):
            for length in range(min(self._longest, len(words) - position), 0, -1):
                name = self._english.get(tuple(words[position : position + length]))
                if name is not None:
                    found.append(name)
                    break
            else:
                length = 1
                if words[position] not in STOP_EN:
                    found.append(words[position])
            position += length
        return found

    def _chinese_terms(self, chunk: str) -> list[str]:
        words = self._segmenter.lcut(chunk)  # type: ignore[attr-defined]
        return [self._chinese.get(word, word) for word in words if word not in STOP_ZH]

    def in_english(self, text: str) -> str:
        """Render a text with Chinese in it as a string of English words, for an English encoder."""
        if not HAN.search(text):
            return text
        return " ".join(term for term in self.terms(text) if not HAN.search(term)) or text


def _english_words(text: str) -> list[str]:
    parts = re.findall(r"[a-z0-9]+(?:\.[0-9]+)?", text.replace("'s", ""))
    return [part if part in STOP_EN else stem(part) for part in parts]


@lru_cache(maxsize=4)
def glossary(folder: Path | None = None) -> Glossary:
    """Return the glossary of a knowledge folder, or the shipped one."""
    path = (folder or data_folder("knowledge")) / "glossary.yaml"
    return Glossary.read(path if path.is_file() else data_folder("knowledge") / "glossary.yaml")


def says(text: str, wording: str) -> bool:
    """Tell whether a normalised text holds a wording: English at word starts, Chinese anywhere."""
    return bool(_wording(wording).search(text))


@lru_cache(maxsize=20_000)
def _wording(wording: str) -> re.Pattern[str]:
    folded = re.escape(normalise(wording).strip())
    folded = re.sub(r"(?:\\ |\\-)+", r"[\\s-]*" if HAN.search(wording) else r"[\\s-]+", folded)
    return re.compile(rf"(?<![a-z0-9]){folded}" if re.match(r"[a-z0-9]", normalise(wording)) else folded)
