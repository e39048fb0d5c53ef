"""Checks of what is taught: what is asked was trained, hops exist, and exposures are what the facts say."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Fact, Part, Reading
from kbench.generator.questions import is_reasoning

_TESTS = ("validation", "test")


def asked_is_taught(reading: Reading) -> Check:
    """What the tests ask of new and known entities was trained."""
    tally = Tally(
        "asked_is_taught",
        "A fact that is asked in validation or test is in train of its style; one that reasoning needs, in any text.",
    )
    by_style: dict[str, set[str]] = defaultdict(set)
    anywhere: set[str] = set()
    for part in reading.parts:
        if part.split == "train":
            by_style[part.style] |= _facts(part, reasoning=False)
        if part.split == "pretrain" or (part.split == "train" and (part.is_document or part.style == "qa")):
            anywhere |= _facts(part, reasoning=False)
    for part in reading.questions(*_TESTS):
        columns = (part.texts("id"), part.texts("entity_id"), part.texts("relation"), part.lists("fact_ids"))
        for row, entity, relation, facts in zip(*columns, strict=True):
            if reading.role_of(entity) not in ("new", "known"):
                continue
            taught = anywhere if is_reasoning(part.style, relation) else by_style[part.style]
            missing = [fact for fact in facts if fact not in taught]
            tally.expect(not missing, f"{row} needs {', '.join(missing[:2])}, which no training text states")
    return tally.check()


def _facts(part: Part, *, reasoning: bool) -> set[str]:
    rows = zip(part.texts("relation"), part.lists("fact_ids"), strict=True)
    return {f for relation, facts in rows if is_reasoning(part.style, relation) == reasoning for f in facts}


def hops_exist(reading: Reading) -> Check:
    """The one-hop questions that a reasoning question builds on are rows, and ask for its facts."""
    tally = Tally("hops_exist", "Every hop of a reasoning question is a row of qa that asks for one of its facts.")
    asked: dict[str, str] = {}
    for part in reading.questions():
        if part.style == "qa":
            asked |= {row: facts[0] for row, facts in zip(part.texts("id"), part.lists("fact_ids"), strict=True)}
    for part in reading.questions():
        columns = (part.texts("id"), part.texts("relation"), part.lists("fact_ids"), part.lists("hop_ids"))
        for row, relation, facts, hops in zip(*columns, strict=True):
            if is_reasoning(part.style, relation):
                lost = [hop for hop in hops if hop not in asked]
                tally.expect(not lost, f"{row} builds on {', '.join(lost[:2])}, which is no row of qa")
                if not lost and [asked[hop] for hop in hops] != facts:
                    tally.wrong(f"{row}: its hops ask for other facts than its own")
    return tally.check()


def reasoning_apart(reading: Reading) -> Check:
    """The subjects of reasoning questions in training are not those of the tests."""
    tally = Tally(
        "reasoning_apart", "No subject of a reasoning question in train is one in validation or test of that style."
    )
    trained: dict[str, set[str]] = defaultdict(set)
    for style, _, entity in _reasoning(reading.questions("train")):
        trained[style].add(entity)
    for style, row, entity in _reasoning(reading.questions(*_TESTS)):
        tally.expect(entity not in trained[style], f"{row}: {entity} is asked about in {style}/train too")
    return tally.check()


def reasoning_unstated(reading: Reading) -> Check:
    """How many reasoning questions of the tests are answered by a sentence of training: by an implication."""
    tally = Tally("reasoning_unstated", "No training text states what a reasoning question of validation or test asks.")
    stated: dict[tuple[str, str], str] = {}
    for part in reading.documents("pretrain", "train"):
        rows = zip(part.texts("id"), part.texts("relation"), part.texts("entity_id"), strict=True)
        stated |= {(entity, relation): row for row, relation, entity in rows if "." in relation}
    for part in reading.questions(*_TESTS):
        rows = zip(part.texts("id"), part.texts("relation"), part.texts("entity_id"), strict=True)
        for row, relation, entity in rows:
            if is_reasoning(part.style, relation):
                other = stated.get((entity, relation), "")
                tally.expect(not other, f"{row} is answered by {other}")
    if tally.failures:
        return tally.note("the spec asks for implications: these questions test recall of them, not reasoning")
    return tally.check()


def _reasoning(parts: Iterable[Part]) -> Iterator[tuple[str, str, str]]:
    for part in parts:
        rows = zip(part.texts("id"), part.texts("relation"), part.texts("entity_id"), strict=True)
        yield from ((part.style, row, entity) for row, name, entity in rows if is_reasoning(part.style, name))


def exposures_add_up(reading: Reading) -> Check:
    """The repeats of a fact's training rows of one style sum to its exposures."""
    tally = Tally("exposures_add_up", "The repeats of a fact's training rows of one style sum to facts.exposures.")
    recipe = reading.release.manifest["recipe"]
    if recipe.get("spec", {}).get("exposure", {}).get("budget") == "tokens":
        return tally.skipped("styles are matched by tokens, so that exposures are those of qa alone")
    stated = defaultdict[str, list[str]](list)
    for fact in reading.fact_rows:
        stated[fact.relation].append(fact.fact_id)
    taught, told = reading.taught, ("background", "known")
    for part in reading.parts:
        if part.split == "train":
            _add_up(tally, reading, part, stated, lambda fact: fact.role == "new" or fact.fact_id in taught)
        elif part.split == "pretrain" and part.is_document:
            _add_up(tally, reading, part, stated, lambda fact: fact.role in told and fact.fact_id not in taught)
    return tally.check()


def _add_up(
    tally: Tally, reading: Reading, part: Part, stated: dict[str, list[str]], counts: Callable[[Fact], bool]
) -> None:
    """Every fact that counts whose relation the style has: those that no row states count as stated 0 times."""
    times: dict[str, int] = defaultdict(int)
    kinds = part.texts("kind") if part.is_document else [""] * len(part)
    columns = (part.texts("relation"), kinds, part.lists("fact_ids"), part.numbers("repeat"))
    for relation, kind, facts, repeat in zip(*columns, strict=True):
        if kind != "implication" and not is_reasoning(part.style, relation):
            for fact in facts:
                times[fact] += int(repeat or 0)
    relations = {reading.facts[fact].relation for fact in times if fact in reading.facts}
    for relation in sorted(relations):
        for name in stated[relation]:
            stating = reading.facts[name]
            if counts(stating):
                told = f"{name} is stated {times[name]} times in {part.style}/{part.split}"
                tally.expect(times[name] == stating.exposures, f"{told}, its exposures are {stating.exposures}")
