"""The theory of lesser-known facts as an experiment: a layer pretrained, finetuned on four arms, asked of others."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa

from kbench.errors import SpecError
from kbench.studies.one_layer import (
    Facts,
    Floats,
    Mask,
    Setting,
    Weights,
    Whole,
    descend,
    facts_of,
    salience,
    stream,
    unlearned,
)

PRE = "pre"
ARMS = ("top", "random", "whole", "bottom")
"""In the order that the theory expects of accuracy and attention. The halves have as many facts of each relation."""

LOOKS = 20
"""How often the layer is asked while it is finetuned, at equal distances."""


@dataclass(frozen=True)
class Look:
    """What a layer does at a step of finetuning an arm.

    Of the held-out facts: the share answered right, the mean attention on the subject, and the share answered by the
    relation's most common answer. Of the facts that the arm is finetuned on: their mean salience, and the share right.
    """

    arm: str
    step: int
    accuracy: float
    attention: float
    modal: float
    salience: float
    fitted: float


@dataclass(frozen=True)
class Theory:
    """What came of a seed: every look, and of the pretrained layer the mean salience of what is asked and tuned on.

    Finetuning never touches a held-out subject's row of the value matrix: what is asked of keeps its salience.
    """

    setting: Setting
    seed: int
    looks: tuple[Look, ...]
    salience: Mapping[str, float]
    """Before finetuning: of each arm's facts, and of the held-out ones (`test`)."""

    facts: Mapping[str, int]
    """How many facts each arm has, and how many are asked (`test`)."""

    subjects: Mapping[str, int]
    """How many subjects these are about."""

    common: Mapping[str, float]
    """The share of these facts that have their relation's most common answer: who ignores subjects gets `test` of it
    right. Halves in which it differs are told apart by more than how well their facts were known."""

    pull: Mapping[str, float]
    """How far an arm's facts, on average, would first turn attention to subjects: minus the gradient of the pretrained
    layer's loss on the relations' self-scores. Below 0 they turn it away, from subjects that are asked about too."""

    @property
    def last(self) -> Mapping[str, Look]:
        """The last look at each arm, and at the pretrained layer (`pre`)."""
        return {look.arm: look for look in self.looks}

    def table(self) -> pa.Table:
        """A row for each look."""
        return pa.Table.from_pylist([asdict(look) for look in self.looks])


def simulate(setting: Setting | None = None, seed: int = 0) -> Theory:
    """Pretrain a layer and finetune it on each arm, for as many steps on the mean loss: whole reads each fact half as
    often as the halves do. Raises SpecError where a half would be empty."""
    setting = setting or Setting()
    facts = facts_of(setting, seed)
    base = pretrained(setting, facts)
    held_out = np.broadcast_to(~facts.train[:, None], facts.answer.shape)
    arms = arms_of(setting, facts, base, seed)
    looks = [_look(PRE, 0, base, facts, ~held_out)]
    for arm in ARMS:
        for step, weights in _finetuned(setting, facts, base, arms[arm]):
            looks.append(_look(arm, step, weights, facts, arms[arm]))
    known, common = salience(base, facts), facts.answer == _common(facts)
    asked = {**arms, "test": held_out}
    return Theory(
        setting,
        seed,
        tuple(looks),
        {name: float(known[mask].mean()) for name, mask in asked.items()},
        {name: int(mask.sum()) for name, mask in asked.items()},
        {name: int(mask.any(axis=1).sum()) for name, mask in asked.items()},
        {name: float(common[mask].mean()) for name, mask in asked.items()},
        {name: _pull(base, facts, arm) for name, arm in arms.items()},
    )


def pretrained(setting: Setting, facts: Facts) -> Weights:
    """A layer that has read every fact as often as the world says, the held-out ones among them."""
    weights = unlearned(facts)
    for _ in range(setting.pretrain_steps):
        weights = descend(weights, facts, facts.share, setting.pretrain_rate, "all")
    return weights


def arms_of(setting: Setting, facts: Facts, base: Weights, seed: int) -> dict[str, Mask]:
    """Which facts each arm is finetuned on, by its name."""
    by = facts.share if setting.split == "exposures" else salience(base, facts)
    none = np.zeros(facts.answer.shape, bool)
    top, bottom, drawn, whole = none.copy(), none.copy(), none.copy(), none.copy()
    whole[facts.train] = True
    random = stream(seed, "random half")
    for relation in range(facts.answer.shape[1]):
        for answer in range(facts.choices) if setting.split == "salience_by_answer" else (None,):
            alike = facts.train if answer is None else facts.train & (facts.answer[:, relation] == answer)
            subjects = np.flatnonzero(alike)
            ordered = subjects[np.argsort(-by[subjects, relation], kind="stable")]
            half = len(ordered) // 2
            top[ordered[:half], relation] = True
            bottom[ordered[len(ordered) - half :], relation] = True
        some = random.permutation(np.flatnonzero(facts.train))[: top[:, relation].sum()]
        drawn[some, relation] = True
    if not top.any():
        raise SpecError(
            f"one-layer simulation: no two of {setting.subjects} subjects have the same answer: give more subjects"
        )
    return {"top": top, "random": drawn, "whole": whole, "bottom": bottom}


def _finetuned(setting: Setting, facts: Facts, base: Weights, arm: Mask) -> Iterator[tuple[int, Weights]]:
    """The layer at each look. What no step moves, the held-out subjects, is left out of the steps."""
    tuned = replace(facts, answer=facts.answer[facts.train], share=facts.share[facts.train])
    share: Floats = (arm / arm.sum())[facts.train]
    weights = replace(base, subject=base.subject[facts.train], score=base.score[facts.train])
    steps = {round(setting.finetune_steps * look / LOOKS) for look in range(LOOKS + 1)}
    for step in range(setting.finetune_steps + 1):
        if step:
            weights = descend(weights, tuned, share, setting.finetune_rate, setting.tuned)
        if step in steps:
            subject, score = base.subject.copy(), base.score.copy()
            subject[facts.train], score[facts.train] = weights.subject, weights.score
            yield step, replace(weights, subject=subject, score=score)


def _pull(base: Weights, facts: Facts, arm: Mask) -> float:
    stepped = descend(base, facts, arm / arm.sum(), 1.0, "attention")
    return float((base.own - stepped.own).sum())


def _look(arm: str, step: int, weights: Weights, facts: Facts, read: Mask) -> Look:
    said = weights.logits().argmax(axis=-1)
    right = said == facts.token
    common = facts.choices * np.arange(facts.answer.shape[1]) + _common(facts)
    asked = ~facts.train
    return Look(
        arm,
        step,
        accuracy=float(right[asked].mean()),
        attention=float(weights.attention()[asked].mean()),
        modal=float((said == common)[asked].mean()),
        salience=float(salience(weights, facts)[read].mean()),
        fitted=float(right[read].mean()),
    )


def _common(facts: Facts) -> Whole:
    """The most common answer of each relation among the facts that may be finetuned on."""
    return np.asarray([np.bincount(column).argmax() for column in facts.answer[facts.train].T])
