"""Who of a dataset is trained on and who is asked about: by subject, by digest, with nothing of one in the other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from kbench.errors import SpecError
from kbench.generator.ownfacts.names import same
from kbench.generator.realdata.item import Found, Item
from kbench.ids import digest_of
from kbench.schema import Split

Apart = Literal["subjects", "names", "answers"]

AMBIGUOUS = "questions that two subjects share"
NAMESAKES = "subjects named as a better known one"
REPEATED = "questions that stand there twice"
OVER_LIMIT = "questions over the limit"
CROSSED = "questions in which one side names a subject of the other"
SHARED = "held-out questions with an answer of train"
FEW = "questions of relations with too few subjects"


@dataclass(frozen=True)
class Division:
    """How a dataset is divided: which share is held out, what may not stand on both sides, how small a relation may be.

    `apart` is `subjects`: no subject stands on both sides; `names`: neither does one as the answer of the other side;
    `answers`: nor does any answer of a relation.
    """

    seed: str = "0"
    test_share: float = 0.5
    validation_share: float = 0.1
    """Of the subjects that are held out."""
    apart: Apart = "names"
    least: int = 10
    """Subjects that a relation must have in `train`, and in `test`, to be kept."""
    limit: int | None = None
    """At most so many questions of each relation."""

    def __post_init__(self) -> None:
        """Raise SpecError where a value cannot be."""
        for name in ("test_share", "validation_share"):
            share = getattr(self, name)
            low_enough = share < 1 and (share > 0 or name == "validation_share")
            if not (share >= 0 and low_enough):
                raise SpecError(f"{name.replace('_', ' ')} must lie between 0 and 1 (got {share:g})")
        if self.apart not in get_args(Apart):
            raise SpecError(f"unknown apart {self.apart!r}: have {', '.join(get_args(Apart))}")
        for name in ("least", "limit"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise SpecError(f"{name} must be at least 1 (got {count})")


@dataclass(frozen=True)
class Divided:
    """The questions of each split, how many were left out and why, and the relations that were, with their subjects."""

    items: Mapping[Split, list[Item]]
    left_out: Mapping[str, int]
    too_few: Mapping[str, int] = field(default_factory=dict)


def divide(found: Found, way: Division) -> Divided:
    """Divide a dataset. The same items and the same way give the same splits, whatever the order of the items.

    Raises SpecError where no relation has enough subjects.
    """
    left_out = Counter(found.left_out)
    items = _limited(_one_a_fact(_one_a_question(found.items, left_out), left_out), way, left_out)
    splits: dict[Split, list[Item]] = {"train": [], "validation": [], "test": []}
    for item in items:
        splits[_side(item, way)].append(item)
    if way.apart != "subjects":
        splits = _without_crossed(splits, left_out)
    if way.apart == "answers":
        splits = _without_shared(splits, left_out)
    kept, too_few = _large_enough(splits, way, left_out)
    if not kept["train"]:
        told = ", ".join(f"{many:,} {why}" for why, many in left_out.items() if many) or "nothing was left out"
        raise SpecError(
            f"no relation has {way.least} subjects in train and {way.least} in test ({told}): "
            "give more questions, or a smaller --least"
        )
    return Divided(kept, dict(sorted((why, many) for why, many in left_out.items() if many)), too_few)


def _one_a_question(items: Iterable[Item], left_out: Counter[str]) -> list[Item]:
    """Each question once, with all its answers; one about two subjects has no answer that is right."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups["\n".join([same(item.question), *item.choices])].append(item)
    kept = []
    for group in groups.values():
        first = min(group, key=_order)
        if len({(item.key, same(item.subject)) for item in group}) > 1:
            left_out[AMBIGUOUS] += len(group)
            continue
        left_out[REPEATED] += len(group) - 1
        answers = first.answers
        if not first.choices:
            answers = tuple(dict.fromkeys(a for item in sorted(group, key=_order) for a in item.answers))
        kept.append(replace(first, answers=answers))
    return kept


def _one_a_fact(items: Iterable[Item], left_out: Counter[str]) -> list[Item]:
    """One subject a name, the best known, and one question a fact."""
    names: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        names[same(item.subject)].append(item)
    kept = []
    for group in names.values():
        best = min(group, key=lambda item: (-item.popularity, item.key, _order(item)))
        seen = set[str]()
        for item in sorted(group, key=_order):
            if item.key != best.key:
                left_out[NAMESAKES] += 1
            elif item.relation in seen:
                left_out[REPEATED] += 1
            else:
                seen.add(item.relation)
                kept.append(replace(item, subject=best.subject, popularity=best.popularity))
    return kept


def _order(item: Item) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """An order that does not depend on where an item stands."""
    return item.relation, item.question, item.answers, item.choices


def _limited(items: list[Item], way: Division, left_out: Counter[str]) -> list[Item]:
    relations: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: digest_of("limit", way.seed, same(item.subject))):
        relations[item.relation].append(item)
    left_out[OVER_LIMIT] += sum(len(group[way.limit :]) for group in relations.values()) if way.limit else 0
    return [item for name in sorted(relations) for item in relations[name][: way.limit]]


def _side(item: Item, way: Division) -> Split:
    """The split of a subject: of all its questions, and of it under every limit."""
    if _draw("side", item, way) >= way.test_share:
        return "train"
    return "validation" if _draw("validation", item, way) < way.validation_share else "test"


def _draw(stream: str, item: Item, way: Division) -> float:
    return int(digest_of(stream, way.seed, same(item.subject))[:8], 16) / 2**32


def _without_crossed(splits: dict[Split, list[Item]], left_out: Counter[str]) -> dict[Split, list[Item]]:
    """With no answer on one side that is asked about on the other.

    Of the questions about somebody and those that have them as an answer the fewer are left out: of a country, asked
    about once, not the hundred places that lie in it.
    """
    subjects: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    answers: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for split, items in splits.items():
        for item in (item for item in items if not item.choices):
            subjects[split == "train"][same(item.subject)] += 1
            answers[split == "train"].update({same(answer) for answer in item.answers})
    gone = {side: {n for n, many in subjects[side].items() if answers[not side][n] > many} for side in subjects}
    found: dict[Split, list[Item]] = {}
    for split, items in splits.items():
        side = split == "train"
        asked = [item for item in items if item.choices or same(item.subject) not in gone[side]]
        left_out[CROSSED] += len(items) - len(asked)
        found[split] = _kept(asked, subjects[not side].keys() - gone[not side], CROSSED, left_out)
    return found


def _without_shared(splits: dict[Split, list[Item]], left_out: Counter[str]) -> dict[Split, list[Item]]:
    """Without the held-out questions whose answer is one of the same relation in train; options are not looked at."""
    taught: dict[str, set[str]] = defaultdict(set)
    for item in splits["train"]:
        taught[item.relation] |= {same(answer) for answer in item.answers}
    found: dict[Split, list[Item]] = {"train": splits["train"], "validation": [], "test": []}
    for split in ("validation", "test"):
        for item in splits[split]:
            found[split] += _kept([item], taught[item.relation], SHARED, left_out)
    return found


def _kept(items: Iterable[Item], barred: Set[str], why: str, left_out: Counter[str]) -> list[Item]:
    kept = []
    for item in items:
        if not item.choices and any(same(answer) in barred for answer in item.answers):
            left_out[why] += 1
        else:
            kept.append(item)
    return kept


def _large_enough(
    splits: dict[Split, list[Item]], way: Division, left_out: Counter[str]
) -> tuple[dict[Split, list[Item]], dict[str, int]]:
    """Without relations that have too few subjects, and how many these have on their smaller side."""
    counts = {split: Counter(item.relation for item in items) for split, items in splits.items()}
    smaller = {
        name: min(counts["train"][name], counts["test"][name]) for name in {n for c in counts.values() for n in c}
    }
    too_few = {name: smaller[name] for name in sorted(smaller) if smaller[name] < way.least}
    left_out[FEW] += sum(counts[split][name] for split in counts for name in too_few)
    kept = {split: [item for item in items if item.relation not in too_few] for split, items in splits.items()}
    return kept, too_few
