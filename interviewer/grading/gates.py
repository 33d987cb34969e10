"""Cheap gates before the judge: what needs no judgement, and what cannot be judged."""

import re
from typing import Literal

from interviewer.cards import Bilingual
from interviewer.grading.grade import JudgingTask
from interviewer.language import HAN, Glossary, Span, language_of, normalise, sentences

MAX_CHARACTERS = 20_000
"""About 3,000 English words: half an hour of speech."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
DONT_KNOW = re.compile(
    r"^(?:sorry[,. ]*|um+[,. ]*|uh+[,. ]*|hmm+[,. ]*|well[,. ]*|honestly[,. ]*|嗯+[,。 ]*|抱歉[,。 ]*|不好意思[,。 ]*|这个(?:问题)?[,。 ]*|这题[,。 ]*)*"
    r"(?:(?:i )?(?:really |honestly |just )?(?:do not|don['’]?t|dunno|have no|no) ?(?:know|idea|clue|remember|sure)?(?: (?:the answer|this|that|this one|about (?:this|that|it)|at all))?"
    r"|i(?:['’]m| am) not sure|not sure|idk|pass|skip|no idea|i forgot|can['’]?t remember|i have no idea"
    r"|我?(?:真的|确实|也|完全|还)?(?:不知道|不太?清楚|不会|不了解|没学过|忘了|忘记了|不太?懂|想不起来|没思路|没听说过|没想过|没研究过|没接触过|没了解过|没准备过?|答不上来|记不清了?)(?:这个|这题|了|啊|呢|哦)*"
    r"|不会|跳过|过)[\s.。!!,,~…]*$"
)
ORDERS = re.compile(
    r"ignore (?:all |any )?(?:the |your )?(?:previous|prior|above|earlier|other)|disregard .{0,30}(?:instruction|rubric|rule)"
    r"|(?:give|award|assign|grant) (?:me |this (?:answer )?|it )?(?:a |an |the )?(?:full|perfect|maximum|top|highest|100|10/10)"
    r"|mark (?:all|every|each|this|the)\b.{0,40}(?:covered|correct|passed|complete)|(?:score|grade|rate) (?:this|me|my|it)\b.{0,30}(?:full|perfect|100|10|1\.0|highest|covered)"
    r"|you are (?:now )?(?:a|an|the) (?:grader|judge|examiner|assistant)|system ?:|as the (?:grader|judge|examiner)|<\|?(?:im_start|im_end|system)"
    r"|(?:all|every|each) (?:rubric )?points? (?:is|are|as|was|were) (?:fully )?(?:covered|met|satisfied)"
    r"|忽略(?:之前|以上|上面|前面|所有)|无视(?:之前|以上|上面|前面|所有)|(?:请|直接|务必|必须)?(?:给|打|判)(?:我|出|个|为|这个回答)*(?:满分|高分|最高分|100 ?分|10 ?分)"
    r"|(?:所有|全部|每个|各个)(?:的)?(?:得分点|要点|评分点|点)(?:都|均|全)?(?:已经|已|标记为|标为|判为|算)*(?:覆盖|命中|正确|得分|满足)|系统(?:提示|消息|指令)?[：:]|你(?:现在)?是(?:一个)?(?:评分|判卷|阅卷)"
)
Gate = Literal["empty", "no words", "don't know", "echo", "gibberish", "orders", "too long", "other language"]
UNGRADED: frozenset[Gate] = frozenset({"too long", "other language"})
"""Gates that leave an answer not graded; behind the others every point is missed."""
REASONS: dict[Gate, Bilingual] = {
    "empty": Bilingual(en="the answer is empty", zh="回答是空的"),
    "no words": Bilingual(en="the answer has no words", zh="回答里没有文字"),
    "don't know": Bilingual(en="the candidate does not know", zh="候选人表示不知道"),
    "echo": Bilingual(en="the answer repeats the question", zh="回答只是重复了题目"),
    "gibberish": Bilingual(en="the answer is not made of words", zh="回答不成语句"),
    "orders": Bilingual(
        en="the answer gives orders to the grader and says nothing else", zh="回答只是在对评分者下指令，没有谈题目"
    ),
    "too long": Bilingual(
        en=f"the answer is too long; at most {MAX_CHARACTERS:,} characters are read",
        zh=f"回答太长，最多读 {MAX_CHARACTERS:,} 个字符",
    ),
    "other language": Bilingual(en="the offline judge reads Chinese and English only", zh="离线评分只读中文和英文"),
}


def gate(task: JudgingTask, glossary: Glossary) -> Gate | None:
    """Return what can be said of an answer without judging it; None when it is to be judged."""
    answer = CONTROL.sub("", task.answer)
    found: Gate | None = None
    if not answer.strip():
        found = "empty"
    elif len(task.answer) > MAX_CHARACTERS:
        found = "too long"
    elif not any(c.isalnum() for c in answer):
        found = "no words"
    elif language_of(answer) is None and any(c.isalpha() for c in answer):
        found = "other language"
    elif DONT_KNOW.match(normalise(answer).strip()):
        found = "don't know"
    elif not judged_sentences(answer):
        found = "orders"
    elif _is_echo(answer, task.question, glossary):
        found = "echo"
    elif _is_gibberish(answer):
        found = "gibberish"
    return found


def judged_sentences(answer: str) -> list[Span]:
    """Return the sentences of an answer that speak of the matter, not to the grader."""
    return [span for span in sentences(answer) if not ORDERS.search(normalise(span.text))]


def _is_echo(answer: str, question: str, glossary: Glossary) -> bool:
    said = set(glossary.terms(answer))
    asked = set(glossary.terms(question))
    return bool(said and asked) and len(said - asked) <= 0.1 * len(said) and len(said & asked) >= 0.5 * len(asked)


def _is_gibberish(answer: str) -> bool:
    if HAN.search(answer):
        han = HAN.findall(answer)
        return len(han) >= 8 and len(set(han)) <= max(2, len(han) // 8)
    words = [word for word in normalise(answer).split() if any(c.isalpha() for c in word)]
    letters = "".join(c for word in words for c in word if c.isalpha())
    if not letters:
        return False
    vowels = sum(c in "aeiouy" for c in letters) / len(letters)
    longest = max(map(len, words))
    repeated = len(words) >= 8 and len(set(words)) <= len(words) / 6
    return repeated or longest > 45 or (len(letters) >= 12 and not 0.2 <= vowels <= 0.65)
