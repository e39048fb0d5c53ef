"""Statement rows: one sentence a row, with the subject's full name; some value first, some of what follows from two."""

import numpy as np
import pyarrow as pa

from kbench.generator.asking import can_be_asked, label_of
from kbench.generator.hashing import Ints, below, stream_key
from kbench.generator.mentions import full_mentions
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import Use, times_of, uses
from kbench.generator.questions import in_order
from kbench.generator.sections import Section, is_taught, stated
from kbench.generator.surface import second_form
from kbench.generator.world import Mask, World
from kbench.ids import document_id, fact_id, template_id
from kbench.schema import DOCUMENT_SCHEMA


def statement_rows(world: World, pack: Pack, section: Section) -> pa.Table:
    """The statements of every fact of the blocks of a section, in entity order."""
    tables, order = [], []
    reversals, implications = world.spec.exposure.reversals, world.spec.exposure.implications
    chains = [".".join(chain) for chain in world.spec.paths.chains] if implications else []
    for place, name in enumerate([*world.spec.relations, *chains]):
        index = world.subjects(name.split(".")[0], section.blocks)
        index = index[can_be_asked(world, name, index)]
        if "." in name and section.role in ("new", "known"):
            # What follows is told of those who are taught to reason: the others are asked for it.
            index = index[is_taught(world, world.spec.start_of(name), index)]
            index = index[_all_stated(world, section, name, index)]
        forward = plain(pack, world, name)
        kind = world.spec.start_of(name)
        if "." in name:
            forward = forward[:implications]
            parts = [("implication", forward, np.full(index.size, len(forward), dtype=np.int64))]
        else:
            parts = _parts(world, pack, section, name, index, forward, reversed_of(pack, world, name)[:reversals])
        for form, phrasings, times in parts:
            if not phrasings:
                continue
            for use in uses(world, section, name, phrasings, index, times):
                if use.rows.size:
                    tables.append(_table(world, section, name, form, index, use))
                    block = world.block_of(kind, index)[use.rows]
                    kinds = list(world.spec.types).index(kind)
                    order.append([block, np.full_like(block, kinds), index[use.rows], np.full_like(block, place)])
    return in_order(tables, order, DOCUMENT_SCHEMA)


def _all_stated(world: World, section: Section, chain: str, index: Ints) -> Mask:
    """Of which subjects every fact of a chain is stated itself: what follows from it may be, then."""
    stated_all, here = np.ones(index.size, dtype=bool), index
    for step in chain.split("."):
        relation = world.spec.relations[step]
        stated_all &= stated(world, section.role, step, relation.subject, here) > 0
        here = world.objects(step, here) if relation.value_type == "entity" else here
    return stated_all


def plain(pack: Pack, world: World, name: str) -> tuple[Phrasing, ...]:
    """The sentences that say a fact, subject first."""
    found = pack.of("statement", world.spec.template_of(name), "train")
    return tuple(p for p in found if p.kind != "reversal")


def reversed_of(pack: Pack, world: World, name: str) -> tuple[Phrasing, ...]:
    """The sentences that say a fact value first."""
    found = pack.of("statement", world.spec.template_of(name), "train")
    return tuple(p for p in found if p.kind == "reversal")


def written_form(
    world: World, name: str, index: Ints, text: list[str], number: list[float | None], k: str
) -> list[str]:
    """The values as one document writes them: canonical, or in the second form where the spec has two."""
    n = world.spec.exposure.forms
    if n == 1:
        return world.said(name, text)
    kind, source = world.spec.start_of(name), world.source_of(name)
    chosen = form_of_document(world, kind, index, k)
    said = []
    for value, digits, form in zip(text, number, chosen, strict=True):
        said.append(second_form(source, value, digits) if form else value)
    return said


def form_of_document(world: World, kind: str, index: Ints, k: str) -> Ints:
    """The surface form, 0 or 1, that the k-th document of each entity keeps to."""
    return below(stream_key(world.seed, "form", kind, k), index, world.spec.exposure.forms)


def _parts(
    world: World,
    pack: Pack,
    section: Section,
    name: str,
    index: Ints,
    forward: tuple[Phrasing, ...],
    backward: tuple[Phrasing, ...],
) -> list[tuple[str, tuple[Phrasing, ...], Ints]]:
    """Sentences by direction and how often each fact is said in it: the exposures are shared out by phrasings."""
    times = times_of(world, pack, section, "statement", name, world.spec.start_of(name), index, len(forward))
    if not backward:
        return [("statement", forward, times)]
    ahead = min(len(forward), world.spec.exposure.paraphrases)
    back = times * len(backward) // (ahead + len(backward))
    return [("statement", forward, times - back), ("reversal", backward, back)]


def _table(world: World, section: Section, name: str, form: str, index: Ints, use: Use) -> pa.Table:
    kind, n = world.spec.start_of(name), int(use.rows.size)
    at = index[use.rows]
    ids = world.ids(kind, at)
    mentions = full_mentions(world, kind, world.names(kind, at))
    here, facts = at, [[] for _ in range(n)]  # type: ignore[var-annotated]
    for step in name.split("."):
        for i, subject in enumerate(world.ids(world.spec.relations[step].subject, here)):
            facts[i].append(fact_id(subject, step))
        values = world.values(step, here)
        here = values.object
    said = written_form(world, name, at, values.text, values.number, use.phrasing.id)
    relation = world.spec.relations.get(name)
    fixed = {"topic": relation.topic if relation else "", "relation": label_of(relation, name)}
    phrasing = f"{name}.{use.phrasing.id}"
    columns = {
        "id": [document_id(subject, "statement", form, phrasing, 0) for subject in ids],
        "style": ["statement"] * n,
        "probe": [section.probe] * n,
        "fact_ids": facts,
        "entity_id": ids,
        "relation": [name] * n,
        "template_id": [template_id("statement", use.phrasing.relation, use.phrasing.id)] * n,
        "repeat": use.repeat.astype(np.int32),
        "text": [use.phrasing.render({**m, **fixed, "value": v}) for m, v in zip(mentions, said, strict=True)],
        "kind": [form] * n,
    }
    return pa.table(columns, schema=DOCUMENT_SCHEMA)
