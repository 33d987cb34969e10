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
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|cannot|without|hardly|instead of|rather than|fails? to|far from|\w+n['’]t)\b"
)
NEGATION_ZH = re.compile(r"不|没|无|未|非|别(?=再|去|用|忘|把|只)|难以|勿|缺乏")
DONT_NEGATE_ZH = re.compile(
    r"不仅|不但|不只|不光|不止|不同|不管|不断|不过|不错|不得不|不妨|不均衡|不平衡|差不多|无监督|自监督|无偏|无论|无损|无关紧要"
    r"|非线性|非常|除非|未来|有没有|([一-鿿])不\1"
)
REJECTED = re.compile(
    r"\b(?:myth|misconception|mistaken?|fallacy|not true|untrue|contrary to|common claim|wrong to (?:say|think))\b"
    r"|\b(?:people|some|many|folks|others|they|one|it is|it's|you)(?: \w+){0,2} (?:often|sometimes|commonly|widely|usually )?(?:say|said|hear|claim(?:ed)?|believed?) "
    r"|\b(?:people|some|many|folks|others)(?: \w+){0,2} think "
    r"|\b(?:that|this|which|it)(?:'s|’s| is| was) (?:just |simply |plain )?(?:wrong|false|incorrect)\b"
    r"|(?<!我)(?<!我还)(?<!我一直)以为|误区|误解|有人(?:说|认为|觉得|讲)|有些人|很多人|不少人|常有人|大家(?:都|常)?说|网上|常说|说法|是错|不对|不准确|不成立|说错"
)
"""Words that speak of a claim without making it."""
REJECTED_NEXT = re.compile(
    r"(?:but |no,? |actually,? |well,? )*(?:that|this|it)(?:'s|’s| is| was|s) (?:just |simply |actually )?(?:wrong|false|not|incorrect|a m)"
    r"|(?:但|但是|其实|实际上|不过|可|可是)?(?:这|那|它)?(?:个|种)?(?:说法|观点|理解)?(?:其实|并)?(?:是错|不对|不成立|不准确|不是这样|站不住|没有根据)"
)
"""How a sentence begins that takes back the one before."""
LONG_EN, LONG_ZH = 14, 5
"""Characters of a wording that may be said with padding in between."""
PADDING = re.compile(
    r"\b(?:just|simply|really|actually|basically|usually|generally|typically|mostly|probably|essentially|kind of|sort of|the|a|an)\b ?"
    r"|一般来说|一般|通常|主要|其实|基本上|基本|大概|可能|应该|直接|往往|本质上|本身|就|都|也|的|了|呢|嘛|吧|啊"
)
CLAUSE_END = re.compile(r"[,.;:!?。、…](?=\D|$)|\bbut\b|\band\b|\bso\b|\bbecause\b|但是?|所以|因为|而且|然后")


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
    return [CLAUSE_END.split(folded[end:], maxsplit=1)[0][:60] for end in ends]


def rejects(text: str, after: str) -> bool:
    """Tell whether normalised text speaks of a claim to reject it, there or at the start of what comes after."""
    return bool(REJECTED.search(text) or REJECTED_NEXT.match(after))


def negations_around(text: str, wordings: Sequence[str]) -> int:
    """Count the negations in the clauses of a normalised text that hold one of the wordings, outside the wordings."""
    found = [match.span() for wording in wordings for match in _wording(wording).finditer(text)]
    masked = list(text)
    for first, last in found:
        masked[first:last] = "\0" * (last - first)
    clauses = CLAUSE_END.split("".join(masked))
    return sum(negations(clause.replace("\0", "")) for clause in clauses if "\0" in clause)


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
        self.terms = lru_cache(maxsize=8192)(self._terms)
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

    def _terms(self, text: str) -> tuple[str, ...]:
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
        return (*found, *self._english_terms(english))

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


def _english_words(text: str) -> list[str]:
    parts = re.findall(r"[a-z0-9]+(?:\.[0-9]+)?", text.replace("'s", ""))
    return [part if part in STOP_EN else stem(part) for part in parts]


@lru_cache(maxsize=4)
def glossary(folder: Path | None = None) -> Glossary:
    """Return the glossary of a knowledge folder, or the shipped one."""
    path = (folder or data_folder("knowledge")) / "glossary.yaml"
    return Glossary.read(path if path.is_file() else data_folder("knowledge") / "glossary.yaml")


def says(text: str, wording: str) -> bool:
    """Tell whether a normalised text holds a wording: English at word starts, Chinese anywhere.

    In long wordings words that add nothing ("basically", "一般") may stand in between: of short ones too little is left.
    """
    pattern = _wording(wording)
    if _word(wording) in text and pattern.search(text):
        return True
    if len(wording) < (LONG_ZH if HAN.search(wording) else LONG_EN):
        return False
    bare = unpadded(text)
    return _word(wording) in bare and bool(pattern.search(bare))


def says_any(text: str, wordings: Iterable[str]) -> bool:
    """Tell whether a normalised text holds one of the wordings."""
    return any(says(text, wording) for wording in wordings)


@lru_cache(maxsize=50_000)
def _word(wording: str) -> str:
    """Return the longest word of a wording: looking for it first is much faster than the pattern."""
    return max(re.split(r"[\s-]+", normalise(wording).strip()), key=len)


@lru_cache(maxsize=20_000)
def unpadded(text: str) -> str:
    """Return a text without the words that add nothing to what it claims."""
    return PADDING.sub("", text)


@lru_cache(maxsize=50_000)
def _wording(wording: str) -> re.Pattern[str]:
    folded = re.escape(normalise(wording).strip())
    folded = re.sub(r"(?:\\ |\\-)+", r"[\\s-]*" if HAN.search(wording) else r"[\\s-]+", folded)
    return re.compile(rf"(?<![a-z0-9]){folded}" if re.match(r"[a-z0-9]", normalise(wording)) else folded)
