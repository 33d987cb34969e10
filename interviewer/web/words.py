"""Words of the web chat in both languages."""

from interviewer.cards import Bilingual

WORDS: dict[str, Bilingual] = {
    "topic": Bilingual(en="Topics (none: all)", zh="主题（不选则全部）"),
    "about": Bilingual(en="Or say what you want to practise", zh="或者说说想练什么"),
    "about_example": Bilingual(en="e.g. fine-tuning when memory is short", zh="例如：显存不够时怎么微调"),
    "questions": Bilingual(en="Questions", zh="题数"),
    "difficulty": Bilingual(en="Difficulty", zh="难度"),
    "any": Bilingual(en="any", zh="不限"),
    "start": Bilingual(en="Start", zh="开始"),
    "answer": Bilingual(
        en="Your answer (Enter sends, Shift+Enter: new line)", zh="你的回答（回车发送，Shift+回车换行）"
    ),
    "send": Bilingual(en="Send", zh="发送"),
    "hint": Bilingual(en="Hint (−10 %)", zh="提示（扣 10%）"),
    "skip": Bilingual(en="Skip", zh="跳过"),
    "idk": Bilingual(en="I don't know", zh="不知道"),
    "back": Bilingual(en="Back", zh="回上一题"),
    "reference": Bilingual(en="Reference answer", zh="参考答案"),
    "stop": Bilingual(en="Stop and report", zh="结束并看报告"),
    "grading": Bilingual(en="grading…", zh="评分中……"),
    "engine": Bilingual(en="engine", zh="引擎"),
    "covered": Bilingual(en="✔ covered", zh="✔ 说到"),
    "partial": Bilingual(en="◐ partial", zh="◐ 部分说到"),
    "missed": Bilingual(en="✘ missed", zh="✘ 漏掉"),
    "contradicted": Bilingual(en="⚠ contradicted", zh="⚠ 说错"),
    "uncertain": Bilingual(en="? uncertain", zh="? 不确定"),
    "said": Bilingual(
        en="The judge could not tell these, and they are not in the score: tick what you said (counted apart)",
        zh="下面几点评不准，不计入得分：勾选你说到的（另计为自评）",
    ),
    "hidden": Bilingual(en="… {} more, shown when this question is done", zh="…… 另有 {} 点，这一题结束后显示"),
    "practice_only": Bilingual(en="This is practice, not a hiring verdict.", zh="这是练习，不是录用结论。"),
}
