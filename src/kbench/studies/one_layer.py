"""One layer of attention over a subject and a relation: its facts, its weights, and one step of training them."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from kbench.errors import SpecError
from kbench.ids import digest_of
from kbench.studies.grid_checks import is_whole, one_of

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

Tuned = Literal["attention", "values", "all"]
Split = Literal["salience", "salience_by_answer", "exposures"]

TUNED: tuple[Tuned, ...] = ("attention", "values", "all")
SPLITS: tuple[Split, ...] = ("salience", "salience_by_answer", "exposures")


@dataclass(frozen=True)
class Setting:
    """What a simulation is made of. The defaults take about a second.

    Every subject has a fact of every relation, whose answer is one of the relation's own. In pretraining the k-th
    subject is read k ** -`frequency` times as often as the first; the k-th answer of a relation is k ** -`prior` times
    as common as its first (0: all alike). A step is one of full-batch gradient descent on the mean cross entropy.

    `tuned`: what finetuning moves: the scores of attention, the value matrix, or both. `split`: by what the facts of a
    relation are told into a top and a bottom half: their salience after pretraining, their salience among the facts
    with the same answer (both halves then have the same answers), or how often pretraining read them.

    Raises SpecError for a value that cannot be.
    """

    subjects: int = 300
    relations: int = 3
    answers: int = 10
    frequency: float = 1.0
    prior: float = 1.0
    pretrain_steps: int = 600
    pretrain_rate: float = 10.0
    finetune_steps: int = 100
    finetune_rate: float = 5.0
    tuned: Tuned = "attention"
    split: Split = "salience"

    def __post_init__(self) -> None:
        one_of(self.tuned, TUNED, "tuned", "one-layer simulation")
        one_of(self.split, SPLITS, "split", "one-layer simulation")
        least = {"subjects": 8, "answers": 2, "frequency": 0, "prior": 0}
        for field in fields(self)[:-2]:
            value, low = getattr(self, field.name), least.get(field.name, 1 if isinstance(field.default, int) else None)
            if isinstance(field.default, int):
                if not is_whole(value) or value < low:
                    raise SpecError(_said(field.name, f"a whole number, {low} or more", value))
            elif isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
                raise SpecError(_said(field.name, "a number", value))
            elif value < 0 or (low is None and value == 0):
                raise SpecError(_said(field.name, "above 0" if low is None else "0 or more", value))


@dataclass(frozen=True)
class Facts:
    """The facts of a simulation, subjects × relations: the place of each answer among its relation's, and its share of
    pretraining. Half of the subjects are held out: finetuning reads of the others, and the test asks of these."""

    answer: Whole
    share: Floats
    train: Mask
    """By subject."""

    choices: int
    """How many answers a relation has."""

    @property
    def token(self) -> Whole:
        """Each answer's place among those of all relations."""
        return self.answer + self.choices * np.arange(self.answer.shape[1])

    @property
    def tokens(self) -> int:
        """How many answers there are in all."""
        return self.choices * len(self.answer[0])


@dataclass(frozen=True)
class Weights:
    """Everything that is learned. Tokens are one-hot, so a row of the value matrix belongs to a token."""

    subject: Floats
    """The value matrix of subjects, subjects × answers of all relations."""

    relation: Floats
    """The value matrix of relations, relations × answers of all relations."""

    score: Floats
    """The attention score of a subject from the relation that asks about it, subjects × relations."""

    own: Floats
    """The attention score of each relation from itself: all its facts share it."""

    def attention(self) -> Floats:
        """The share of attention that each subject gets, subjects × relations; the relation gets the rest."""
        shares: Floats = expit(self.score - self.own)
        return shares

    def logits(self) -> Floats:
        """What each fact's question is answered, subjects × relations × answers of all relations."""
        return self.relation + self.attention()[..., None] * (self.subject[:, None] - self.relation)


def facts_of(setting: Setting, seed: int) -> Facts:
    """The facts of a seed."""
    shape = setting.subjects, setting.relations
    share = np.repeat(_zipf(setting.subjects, setting.frequency)[:, None], setting.relations, axis=1)
    train = np.zeros(setting.subjects, bool)
    train[stream(seed, "held out").permutation(setting.subjects)[setting.subjects // 2 :]] = True
    drawn = stream(seed, "answers").choice(setting.answers, shape, p=_zipf(setting.answers, setting.prior))
    return Facts(drawn, share / setting.relations, train, setting.answers)


def unlearned(facts: Facts) -> Weights:
    """Weights that know nothing: half of the attention on the subject, all answers alike."""
    subjects, relations = facts.answer.shape
    values = np.zeros((subjects, facts.tokens)), np.zeros((relations, facts.tokens))
    return Weights(*values, np.zeros((subjects, relations)), np.zeros(relations))


def descend(weights: Weights, facts: Facts, share: Floats, rate: float, tuned: Tuned) -> Weights:
    """The weights after a step on facts that have a share each (subjects × relations) of the loss."""
    attention = weights.attention()
    contrast = weights.subject[:, None] - weights.relation
    error: Floats = softmax(weights.relation + attention[..., None] * contrast, axis=-1)
    subjects, relations = np.indices(facts.token.shape)
    error[subjects, relations, facts.token] -= 1
    error *= rate * share[..., None]
    subject, relation, score, own = weights.subject, weights.relation, weights.score, weights.own
    if tuned != "attention":
        subject = subject - (attention[..., None] * error).sum(axis=1)
        relation = relation - ((1 - attention)[..., None] * error).sum(axis=0)
    if tuned != "values":
        push = (error * contrast).sum(axis=-1) * attention * (1 - attention)
        score, own = score - push, own + push.sum(axis=0)
    return Weights(subject, relation, score, own)


def salience(weights: Weights, facts: Facts) -> Floats:
    """How far a subject's values alone put its answer above the mean of its relation's others, subjects × relations."""
    subjects, relations = facts.answer.shape
    values = weights.subject.reshape(subjects, relations, facts.choices)
    true = np.take_along_axis(values, facts.answer[..., None], axis=-1)[..., 0]
    return np.asarray(true - (values.sum(axis=-1) - true) / (facts.choices - 1))


def stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of a name: what one purpose draws leaves the others as they are."""
    return np.random.default_rng(int(digest_of("one-layer", str(seed), name), 16))


def _zipf(count: int, exponent: float) -> Floats:
    weights: Floats = np.arange(1.0, count + 1) ** -exponent
    weights /= weights.sum()
    return weights


def _said(name: str, wanted: str, value: object) -> str:
    return f"one-layer simulation: {name} must be {wanted} (got {value!r})"
