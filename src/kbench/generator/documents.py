"""Document rows: single statements, and articles that state every fact of an entity in one text."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kbench.generator.hashing import Ints, below, mix, stream_key
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import first_phrasing, uses
from kbench.generator.questions import in_order
from kbench.generator.sections import Section, exposures
from kbench.generator.world import World
from kbench.ids import document_id, fact_id, template_id
from kbench.schema import DOCUMENT_SCHEMA

_PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "his", "him"), "it": ("it", "its", "it")}


def mention(subject: str, possessive: str, object_form: str) -> dict[str, str]:
    """The forms in which a sentence may name its subject, upper-case ones for its beginning."""
    return {
        "They": subject[0].upper() + subject[1:],
        "they": subject,
        "Their": possessive[0].upper() + possessive[1:],
        "their": possessive,
        "them": object_form,
    }


def statement_rows(world: World, pack: Pack, section: Section) -> pa.Table:
    """One sentence a row, with the subject's full name."""
    tables, order = [], []
    for place, (name, relation) in enumerate(world.spec.relations.items()):
        kind = relation.subject
        index = world.members(kind, section.blocks)
        ids, names, values = world.ids(kind, index), world.names(kind, index), world.values(name, index)
        for use in uses(world, section, pack.of("statement", name, "train"), kind, index):
            rows = [int(i) for i in use.rows]
            texts = [use.phrasing.render({**_full(names[i]), "name": names[i], "value": values.text[i]}) for i in rows]
            phrasing = f"{name}.{use.phrasing.id}"
            columns = {
                "id": [document_id(ids[i], "statement", "statement", phrasing, 0) for i in rows],
                "style": ["statement"] * len(rows),
                "probe": [section.probe] * len(rows),
                "fact_ids": [[fact_id(ids[i], name)] for i in rows],
                "entity_id": [ids[i] for i in rows],
                "relation": [name] * len(rows),
                "template_id": [template_id("statement", name, use.phrasing.id)] * len(rows),
                "repeat": use.repeat.astype(np.int32),
                "text": texts,
                "kind": ["statement"] * len(rows),
            }
            tables.append(pa.table(columns, schema=DOCUMENT_SCHEMA))
            block = world.block_of(kind, index)[use.rows]
            kinds = list(world.spec.types).index(kind)
            order.append([block, np.full_like(block, kinds), index[use.rows], np.full_like(block, place)])
    return in_order(tables, order, DOCUMENT_SCHEMA)


def article_rows(world: World, pack: Pack, section: Section) -> pa.Table:
    """Articles of every entity: the k-th takes the k-th frame, sentence order and phrasing of each fact."""
    tables, order = [], []
    for place, kind in enumerate(world.spec.types):
        if world.spec.relations_of(kind):
            index = world.members(kind, section.blocks)
            tables.append(_articles(world, pack, section, kind, index))
            block = world.block_of(kind, index)
            repeats = _repeats(world, pack, section, kind, index)
            rows = np.repeat(np.arange(index.size), [len(r) for r in repeats])
            order.append([block[rows], np.full_like(rows, place), index[rows]])
    return in_order(tables, order, DOCUMENT_SCHEMA)


def frames_of(world: World, pack: Pack, kind: str) -> tuple[Phrasing, ...]:
    """The document templates of a type, of the kinds of article that the spec asks for."""
    return tuple(p for p in pack.of("article", kind, "train") if p.kind in world.spec.articles)


def _repeats(world: World, pack: Pack, section: Section, kind: str, index: Ints) -> list[list[int]]:
    relations = world.spec.relations_of(kind)
    most = min(world.spec.exposure.paraphrases, *(len(pack.of("statement", name, "train")) for name in relations))
    found = []
    for times in exposures(world, section.role, kind, index):
        n = min(most, int(times))
        found.append([int(times) // n + (k < int(times) % n) for k in range(n)])
    return found


def _articles(world: World, pack: Pack, section: Section, kind: str, index: Ints) -> pa.Table:
    relations = list(world.spec.relations_of(kind))
    frames = frames_of(world, pack, kind)
    ids, names = world.ids(kind, index), world.names(kind, index)
    gendered = world.spec.types[kind].pronouns == "he_or_she"
    female = world.is_female(kind, index)
    values = {name: world.values(name, index).text for name in relations}
    sentences = {name: pack.of("statement", name, "train") for name in relations}
    starts = {name: first_phrasing(world, "article", name, "train", index, len(sentences[name])) for name in relations}
    first_frame = below(stream_key(world.seed, "frame", kind), index, len(frames))
    columns: dict[str, list[object]] = {name: [] for name in DOCUMENT_SCHEMA.names}
    for i, repeats in enumerate(_repeats(world, pack, section, kind, index)):
        for k, repeat in enumerate(repeats):
            frame = frames[(int(first_frame[i]) + k) % len(frames)]
            told = []
            for place, name in enumerate(_order(world, kind, int(index[i]), k, relations)):
                phrasing = sentences[name][(int(starts[name][i]) + k) % len(sentences[name])]
                subject = _full(names[i]) if place == 0 else _pronoun(gendered, female[i])
                told.append(phrasing.render({**subject, "name": names[i], "value": values[name][i]}))
            row = {
                "id": document_id(ids[i], "article", frame.kind, frame.id, k),
                "style": "article",
                "probe": section.probe,
                "fact_ids": [fact_id(ids[i], name) for name in relations],
                "entity_id": ids[i],
                "relation": "",
                "template_id": template_id("article", kind, frame.id),
                "repeat": repeat,
                "text": frame.render({"name": names[i], "sentences": told}),
                "kind": frame.kind,
            }
            for name, value in row.items():
                columns[name].append(value)
    return pa.table(columns, schema=DOCUMENT_SCHEMA)


def _order(world: World, kind: str, index: int, k: int, relations: list[str]) -> list[str]:
    key = mix(stream_key(world.seed, "order", kind), np.asarray([index], dtype=np.int64))
    ranks = mix(key, np.arange(len(relations), dtype=np.int64) + k * len(relations))
    return [relations[int(i)] for i in np.argsort(ranks, kind="stable")]


def _full(name: str) -> Mapping[str, str]:
    return mention(name, f"{name}'s", name)


def _pronoun(gendered: bool, female: bool) -> Mapping[str, str]:
    return mention(*_PRONOUNS[("she" if female else "he") if gendered else "it"])
