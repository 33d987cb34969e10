"""Sentences that claim nothing of the matter: thanks, boasts, names, doubts about oneself, words that fill a pause.

They are not read where they share at most one word with the card, so that none of them can move a verdict.
"""

import re

from interviewer.language import normalise

LONGEST_EN, LONGEST_ZH = 160, 60
"""Characters of an aside; what is longer says something."""
ASIDE = re.compile(
    r"\bthank(?:s| you)\b|\b(?:glad|happy|pleased|honou?red|excited) to\b|\b(?:great|good|nice|interesting|excellent|tricky|tough) question\b"
    r"|\b(?:i am|i'm|i’m|i feel)(?: \w+){0,3} (?:sure|certain|confident|positive|nervous|tired|prepared)\b|\b(?:no|without|beyond)(?: a| any)? doubt\b"
    r"|\b(?:trust|believe) me\b|\bhundred per ?cent\b|\b100 ?%|\bi (?:may|might|could) be wrong\b|\bi (?:hope|wish) (?:that|this|it|you)\b"
    r"|\b(?:professor|prof|phd|colleagues?|co-?workers?|authors?|advisor|mentor|boss|friends?|team ?mates?|manager|lunch|dinner|conference|meetup|interviewer)\b"
    r"|\b(?:google|openai|anthropic|deepmind|meta|microsoft|nvidia|stanford|berkeley|mit|harvard|oxford|karpathy|ilya|hinton|lecun|altman)\b"
    r"|\blet me (?:think|see|start|begin|try|collect)\b|\bgive me a (?:second|moment|minute)\b|\bwhere (?:do i|should i|to) (?:start|begin)\b"
    r"|\b(?:that|this) (?:is|was|would be|'s) (?:all|it|my answer|everything)\b|\bthat's (?:all|it|my answer|everything)\b|\b(?:in|to) (?:conclusion|sum up|summari[sz]e|wrap up)\b"
    r"|\bkeep it (?:short|brief)\b|\b(?:a lot|much|lots) more\b|\bcomes? up\b|\b(?:fascinating|interesting|important|popular|hot|big|broad|huge) (?:topic|subject|area|field)\b"
    r"|\bas (?:you|we all|everybody|everyone) knows?\b|\bi (?:have|'ve|’ve) (?:been|worked|used|done|read|studied|spent)\b|\byears of experience\b"
    r"|谢谢|感谢|多谢|很高兴|很荣幸|好问题|问得(?:很|真)?好|请多(?:多)?(?:指教|包涵)|辛苦(?:您|你)"
    r"|(?:非常|十分|完全|绝对|百分之百|百分百|很|特别|相当)(?:地|的)?(?:确定|确信|肯定|有信心|有把握|自信|紧张)|毫无疑问|毋庸置疑|没有(?:任何)?疑问|相信我|我(?:敢)?保证"
    r"|(?:也许|可能|或许)(?:我)?(?:说|讲|记)(?:得|的)?(?:不对|错|不准|不全)|说(?:得|的)不对(?:的)?(?:地方)?"
    r"|老师|教授|导师|同事|同学|朋友|领导|老板|作者|师兄|师姐|学长|大佬|吃(?:过|了)?饭|会议上|清华|北大|斯坦福|谷歌|字节|阿里|腾讯|百度|华为|微软|英伟达"
    r"|让我(?:先)?(?:想|理|组织)|(?:我)?想(?:一)?想|容我|稍等|从哪(?:里|儿)?(?:说|讲)起|以上(?:就是|是)|就(?:是|说)这(?:些|么多)|说到这|讲完了|我的回答"
    r"|总(?:的来说|之|结一下)|简单(?:说|讲)|长话短说|还(?:可以|能)讲|(?:经常|常常)(?:被)?(?:人)?(?:提|问|聊)|话题|(?:很|挺)(?:有意思|有趣|重要|火|热)|众所周知|大家都知道|年(?:的)?经验"
)


def is_aside(sentence: str, *, shared: int) -> bool:
    """Tell whether a sentence is an aside; `shared` says how many terms it has in common with the card: one may be chance."""
    folded = normalise(sentence)
    longest = LONGEST_EN if folded.isascii() else LONGEST_ZH
    return shared < 2 and len(folded) <= longest and bool(ASIDE.search(folded))
