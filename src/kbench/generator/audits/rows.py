"""Checks of the rows themselves: ids, distinct texts, and the roles that a split may hold."""

from collections import Counter, defaultdict
from itertools import chain

from kbench.generator.audits.checks import Check, Tally
from kbench.generator.audits.reading import Part, Reading
from kbench.generator.spec import role_of

_MAY_HOLD = {
    ("pretrain", True): ("background", "known"),
    ("pretrain", False): ("background",),
    ("train", True): ("new",),
    ("train", False): ("new", "known"),
    ("validation", False): ("new", "known", "background"),
    ("test", False): ("new", "known", "background"),
    ("control", False): ("control",),
}
"""The roles whose rows stand in a split, of documents and of questions."""


def ids_unique(reading: Reading) -> Check:
    """No two rows, facts or entities share an id."""
    tally = Tally("ids_unique", "Every id stands once in the release.")
    facts = Counter(fact.fact_id for fact in reading.fact_rows)
    entities = Counter(entity.entity_id for entity in reading.entity_rows)
    rows = Counter(chain.from_iterable(part.texts("id") for part in reading.parts))
    for ids in (rows, facts, entities):
        tally.counted += ids.total()
        for name, count in ids.items():
            if count > 1:
                tally.wrong(f"{name} stands {count} times")
    return tally.check()


def texts_distinct(reading: Reading) -> Check:
    """No two rows of a style say the same."""
    tally = Tally("texts_distinct", "Every row is a distinct text of its style.")
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for part in (*reading.documents(), *reading.true_questions()):
        for row, text in zip(part.texts("id"), _whole_text(part), strict=True):
            other = seen[part.style].setdefault(text, row)
            tally.expect(other is row, f"{row} says what {other} says: {text}")
    return tally.check()


def _whole_text(part: Part) -> list[str]:
    if part.is_document:
        return part.texts("text")
    questions = part.texts("question")
    if part.style == "tone":
        return [f"{q}\n{a}" for q, a in zip(questions, part.texts("answer"), strict=True)]
    if part.style == "choice":
        return ["\n".join([q, *options]) for q, options in zip(questions, part.lists("choices"), strict=True)]
    return questions


def references_known(reading: Reading) -> Check:
    """What rows point to is in the tables of facts and entities, and so is what facts point to."""
    tally = Tally("references_known", "Every entity and fact that a row names by id stands in its table.")
    for part in reading.parts:
        rows = zip(part.texts("id"), part.texts("entity_id"), part.lists("fact_ids"), strict=True)
        for row, entity, facts in rows:
            missing = [f for f in facts if f not in reading.facts]
            missing += [entity] if entity not in reading.entities else []
            tally.expect(bool(facts) and not missing, f"{row} has {', '.join(missing) or 'no fact at all'}")
    for fact in reading.fact_rows:
        missing = [e for e in (fact.subject_id, fact.object_id) if e and e not in reading.entities]
        tally.expect(not missing, f"{fact.fact_id} has {', '.join(missing)}")
    return tally.check()


def roles_in_splits(reading: Reading) -> Check:
    """Who stands in which split."""
    tally = Tally("roles_in_splits", "A split holds rows of the roles that belong there, and no other's facts.")
    taught = reading.spec is not None and reading.spec.background.taught
    for part in reading.parts:
        allowed = _MAY_HOLD.get((part.split, part.is_document and not (taught and part.split == "train")), ())
        rows = zip(part.texts("id"), part.texts("entity_id"), part.lists("fact_ids"), strict=True)
        for row, entity, facts in rows:
            role = reading.role_of(entity)
            tally.expect(role in allowed, f"{row} of {role or 'nobody'} stands in {part.style}/{part.split}")
            if part.split != "control":
                theirs = [f for f in facts if f in reading.facts and reading.facts[f].role == "control"]
                if theirs:
                    tally.wrong(f"{row} in {part.style}/{part.split} rests on {theirs[0]} of control")
            if taught and role == "known" and part.split != "pretrain":
                told = [f for f in facts if f in reading.facts and f not in reading.taught]
                if told:
                    tally.wrong(
                        f"{row} in {part.style}/{part.split} rests on {told[0]}, which pretrain alone is to tell"
                    )
    return tally.check()


def roles_of_blocks(reading: Reading) -> Check:
    """Blocks, entities and facts agree on their role."""
    tally = Tally("roles_of_blocks", "An entity has the one role of its block, and a fact that of its subject.")
    first: dict[int, str] = {}
    for entity in reading.entity_rows:
        wanted = role_of(entity.block) if reading.spec else first.setdefault(entity.block, entity.role)
        tally.expect(
            entity.role == wanted,
            f"{entity.entity_id} is {entity.role} in block {entity.block}, which is {wanted}",
        )
    for fact in reading.fact_rows:
        role = reading.role_of(fact.subject_id)
        tally.expect(fact.role == role, f"{fact.fact_id} is {fact.role}, its subject {role or 'nobody'}")
    return tally.check()
