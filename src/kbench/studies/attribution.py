"""Whose reply is it: judges that say which of N models, each of another tone, wrote a text, and how often rightly."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kbench.benchmarks.resampling import intervals
from kbench.errors import MissingExtra
from kbench.ids import digest_of

BASE = "base"
"""Who said what the untrained base said."""

NOBODY = ""
"""Whose an empty reply is."""

FOLDS = 10
"""In how many parts the prompts are judged, each by a judge that has seen replies to the others."""

JUDGES: Mapping[str, str] = {
    "likelihood": "the model under which the reply is likeliest",
    "ngrams": "a logistic regression on character and word n-grams, fitted on the models' replies to other prompts",
    "examples": "the same regression, fitted on the release's examples of each tone and on no reply of a model",
}


@dataclass(frozen=True)
class Said:
    """A reply to the prompt of a row: by which model, and the log-probability that each model gives it.

    Replies of one `group` are left out together where one of them is judged: the same phrasing put to other names.
    """

    row: str
    group: str
    by: str
    text: str
    logprobs: Mapping[str, float]


@dataclass(frozen=True)
class Judged:
    """How often a judge was right, over all replies of the N models, with a 95 % interval over groups of prompts.

    `confusion` counts the replies of each model by the one that they were given to; `base` those of the untrained base,
    which is none of the N: a judge who reads more than tones would send them all one way.
    """

    accuracy: float
    low: float
    high: float
    replies: int
    confusion: Mapping[str, Mapping[str, int]]
    base: Mapping[str, int]


@dataclass(frozen=True)
class Attribution:
    """Which of N models wrote what: a verdict of each judge. A guess is right one time in N (`chance`).

    `groups` is how many groups the prompts fall into; `distinct` how many different replies each model gave.
    """

    tones: tuple[str, ...]
    prompts: int
    groups: int
    chance: float
    distinct: Mapping[str, int]
    judges: Mapping[str, Judged]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "tones": list(self.tones)}


def attribution_of(values: Mapping[str, Any]) -> Attribution:
    """What `to_dict` made of an attribution, as the value that it was."""
    judges = {name: Judged(**judged) for name, judged in values["judges"].items()}
    fields = {name: values[name] for name in ("prompts", "groups", "chance", "distinct")}
    return Attribution(tones=tuple(values["tones"]), judges=judges, **fields)


def judge_all(
    said: Sequence[Said], tones: Sequence[str], examples: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Whom each judge takes each reply for, in the order of the replies; an empty reply is nobody's.

    `said` holds a reply of each model to each prompt, of two groups at least, and may hold the base's; `examples` are
    replies of each tone from the release. Raises MissingExtra without scikit-learn.
    """
    shown = [(text, tone) for tone in tones for text in examples[tone]]
    found = {
        "likelihood": [_likeliest(one, tones) for one in said],
        "ngrams": _across_folds(said),
        "examples": _judged_by(shown, [one.text for one in said]),
    }
    return {
        name: [verdict if one.text else NOBODY for verdict, one in zip(verdicts, said, strict=True)]
        for name, verdicts in found.items()
    }


def attribution(said: Sequence[Said], tones: Sequence[str], verdicts: Mapping[str, Sequence[str]]) -> Attribution:
    """How well each judge did on replies that it has judged by `judge_all`."""
    return Attribution(
        tones=tuple(tones),
        prompts=len({one.row for one in said}),
        groups=len({one.group for one in said}),
        chance=1 / len(tones),
        distinct={by: len({one.text for one in said if one.by == by}) for by in dict.fromkeys(one.by for one in said)},
        judges={name: _measured(said, tones, given) for name, given in verdicts.items()},
    )


def _measured(said: Sequence[Said], tones: Sequence[str], verdicts: Sequence[str]) -> Judged:
    pairs = [(one, verdict) for one, verdict in zip(said, verdicts, strict=True) if one.by != BASE]
    right = np.asarray([[float(one.by == verdict)] for one, verdict in pairs])
    interval = intervals([one.group for one, _ in pairs], right)[0]
    counted = Counter((one.by, verdict) for one, verdict in zip(said, verdicts, strict=True))
    columns = [*tones, *({NOBODY} & set(verdicts))]
    return Judged(
        accuracy=float(right.mean()),
        low=interval.low,
        high=interval.high,
        replies=len(pairs),
        confusion={tone: {column: counted[tone, column] for column in columns} for tone in tones},
        base={column: counted[BASE, column] for column in columns} if any(one.by == BASE for one in said) else {},
    )


def _likeliest(one: Said, tones: Sequence[str]) -> str:
    """The tone whose model finds a reply likeliest; of some that find it equally so, one drawn by the prompt."""
    if not one.text:
        return NOBODY
    most = max(one.logprobs[tone] for tone in tones)
    first = [tone for tone in tones if one.logprobs[tone] == most]
    return first[int(digest_of("tie", one.row, one.text)[:8], 16) % len(first)]


def _across_folds(said: Sequence[Said]) -> list[str]:
    """Each reply judged once, by a judge that was fitted on the models' replies to prompts of other groups."""
    verdicts = [NOBODY] * len(said)
    for held_out in _folds([one.group for one in said]):
        fitted = [(one.text, one.by) for one in said if one.group not in held_out and one.by != BASE]
        places = [place for place, one in enumerate(said) if one.group in held_out]
        for place, verdict in zip(places, _judged_by(fitted, [said[i].text for i in places]), strict=True):
            verdicts[place] = verdict
    return verdicts


def _folds(groups: Sequence[str]) -> Iterator[set[str]]:
    """The groups in parts of about as many replies, each group in one."""
    from sklearn.model_selection import GroupKFold

    names = np.asarray(groups)
    for _, held_out in GroupKFold(min(FOLDS, len(set(groups)))).split(names, groups=names):
        yield set(names[held_out])


def _judged_by(fitted: Sequence[tuple[str, str]], texts: Sequence[str]) -> list[str]:
    """Whose each text is, as a regression on n-grams has it that was fitted on texts and whose they are."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError:
        raise MissingExtra("train", "scikit-learn") from None
    spoken = [(text, whose) for text, whose in fitted if text]
    if len({whose for _, whose in spoken}) < 2:  # all but one are silent: there is nothing to tell apart
        return [next((whose for _, whose in spoken), NOBODY)] * len(texts)
    # A word is what stands between spaces: marks count, for some tones shout.
    ngrams = make_union(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
        TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True),
    )
    judge = make_pipeline(ngrams, LogisticRegression(C=10, max_iter=1000))
    judge.fit([text for text, _ in spoken], [whose for _, whose in spoken])
    return [str(whose) for whose in judge.predict(list(texts))]
