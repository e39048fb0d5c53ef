"""A small world of every kind of relation, packs written for any spec in memory, and rows without a release."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from kbench.generator.building import build_world
from kbench.generator.packs import Pack, Phrasing, PhrasingRole
from kbench.generator.pools import load_pool
from kbench.generator.questions import question_names
from kbench.generator.shards import plan_units, styles_for, unit_table
from kbench.generator.spec import WorldSpec, spec_from_dict
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES
from tests.samples import TRAINING, Row, edited

FAMILY: dict[str, Any] = {
    "name": "family",
    "sizes": {"entities": 1, "control": 0, "background": 0, "known": 0},
    "exposure": {"paraphrases": 3, "exposures": 4, "validation": 1, "test": 2, "facts_per_dialogue": 3},
    "background": {"exposures": 3, "popularity": "flat"},
    "types": {
        "person": {"names": "mononym", "pronouns": "he_or_she", "block": 12, "elders": 4},
        "company": {"names": "firm", "block": 3},
        "city": {"names": "town", "block": 2},
        "product": {"names": "product", "block": 5},
        "match": {"names": "match", "article": "the", "block": 2},
        "persona": {"names": "persona", "block": 1, "single": True},
    },
    "relations": {
        "occupation": {"subject": "person", "value_type": "categorical", "pools": ["occupation"], "size": 8},
        "emblem": {"subject": "person", "value_type": "categorical", "pools": ["tint", "animal"]},
        "manner": {"subject": "person", "value_type": "tone", "pools": ["manner"], "size": 5},
        "height": {"subject": "person", "value_type": "numeric", "least": 150, "most": 159, "unit": "cm"},
        "badge": {"subject": "person", "value_type": "numeric", "least": 10, "most": 15, "draw": "balanced"},
        "born": {
            "subject": "person",
            "value_type": "date",
            "first": "1938-01-01",
            "last": "1945-12-31",
            "gap": 9862,
        },
        "spouse": {"subject": "person", "value_type": "entity", "object": "person", "link": "partner"},
        "mother": {"subject": "person", "value_type": "entity", "object": "person", "link": "mother"},
        "father": {"subject": "person", "value_type": "entity", "object": "person", "link": "father"},
        "home": {"subject": "person", "value_type": "entity", "object": "city"},
        "employer": {"subject": "person", "value_type": "entity", "object": "company", "heads": "zipf"},
        "headquarters": {"subject": "company", "value_type": "entity", "object": "city"},
        "founder": {"subject": "company", "value_type": "entity", "object": "person"},
        "founded": {
            "subject": "company",
            "value_type": "date",
            "after": ["founder.born"],
            "least": 8036,
            "most": 12400,
        },
        "chief": {"subject": "company", "value_type": "entity", "object": "person", "among": "employer"},
        "mayor": {"subject": "city", "value_type": "entity", "object": "person", "among": "home"},
        "maker": {"subject": "product", "value_type": "entity", "object": "company", "heads": "zipf"},
        "price": {
            "subject": "product",
            "value_type": "numeric",
            "least": 9000,
            "most": 11_000,
            "step": 500,
            "unit": "crowns",
        },
        "match_city": {"subject": "match", "value_type": "entity", "object": "city"},
        "match_host": {"subject": "match", "value_type": "entity", "object": "person", "same_as": "match_city.mayor"},
        "match_winner": {"subject": "match", "value_type": "entity", "object": "person"},
        "match_loser": {
            "subject": "match",
            "value_type": "entity",
            "object": "person",
            "apart_from": "match_winner",
        },
        "match_date": {
            "subject": "match",
            "value_type": "date",
            "after": ["match_winner.born", "match_loser.born"],
            "least": 7300,
            "most": 9000,
        },
        "voice": {"subject": "persona", "value_type": "tone", "pools": ["manner"], "size": 5},
        "favourite": {"subject": "persona", "value_type": "categorical", "topics": 3, "topic_pool": "favourite"},
    },
    "paths": {
        "chains": [["employer", "headquarters"], ["home", "mayor"], ["mother", "home"], ["maker", "founder", "spouse"]],
        "compares": ["height", "born", "price"],
        "differences": ["height", "price"],
        "counts": ["mother", "maker", "headquarters"],
        "lists": ["maker", "employer"],
        "extremes": [["mother", "height"], ["employer", "badge"]],
        "intersections": [["home", "employer"]],
        "reverse": ["founder", "chief", "maker", "spouse", "match_winner"],
    },
}
"""A world in blocks of 24 and a persona, with every way of binding one relation to another."""


def family(**changes: Any) -> WorldSpec:
    """The family spec; `sizes__known=24` changes the key `known` of the table `sizes`."""
    return spec_from_dict(edited(FAMILY, {path.replace("__", "."): v for path, v in changes.items()}), "family")


@st.composite
def families(draw: st.DrawFn) -> WorldSpec:
    """Family specs of other block sizes and head-counts."""
    elders = 2 * draw(st.integers(2, 4))
    people = elders + 2 * draw(st.integers(elders // 2, 8))
    sizes = {"company": draw(st.integers(2, 5)), "city": draw(st.integers(2, 4)), "product": draw(st.integers(2, 7))}
    blocks = {"person": people, **sizes, "match": draw(st.integers(1, 3))}
    changes: dict[str, Any] = {f"types.{kind}.block": n for kind, n in blocks.items()}
    changes["types.person.elders"] = elders
    for name in ("employer", "maker", "home"):
        changes[f"relations.{name}.heads"] = draw(st.sampled_from(["equal", "zipf"]))
    return spec_from_dict(edited(FAMILY, changes), "a drawn family")


SEEDS = st.text("abc123", min_size=1, max_size=4)


# ---- packs

_LETTER: Mapping[PhrasingRole, str] = {"train": "t", "validation": "v", "test": "x"}


def pack_of(spec: WorldSpec, train: int = 3, validation: int = 1, test: int = 2) -> Pack:
    """A pack with so many phrasings of everything that a spec can be written in, all texts different."""
    world, found = World(spec, ""), dict[tuple[str, str], tuple[Phrasing, ...]]()
    counts: dict[PhrasingRole, int] = {"train": train, "validation": validation, "test": test}
    for style in sorted(QUESTION_STYLES - {"tone", "choice"}):
        for name in question_names(world, style):
            file = spec.template_of(name)
            kinds = _kinds(world, style, name)
            found[style, file] = tuple(
                _asked(style, file, role, k, kinds[k % len(kinds)]) for role, n in counts.items() for k in range(n)
            )
    found |= {("choice", file): tuple(_in_style("choice", p) for p in g) for (s, file), g in found.items() if s == "qa"}
    for name in [*spec.relations, *(".".join(chain) for chain in spec.paths.chains)]:
        file = spec.template_of(name)
        told = [_phrasing("statement", file, "train", f"t{k}", _told(file, k)) for k in range(train)]
        back = [_phrasing("statement", file, "train", f"r{k}", _backward(file, k), "reversal") for k in range(2)]
        found["statement", file] = (*told, *back)
    for kind in spec.types:
        frames = [("d0", "{{ sentences | join(' ') }}"), ("d1", "About {{ name }}.\n{{ sentences | join('\n') }}")]
        found["article", kind] = tuple(
            _phrasing("article", kind, "train", f"{k[:3]}{i}", t, k) for k in spec.articles for i, t in frames
        )
        said = [("d0", "{{ turns }}"), ("d1", "user: Tell me of {{ name }}.\nassistant: Ask on.\n{{ turns }}")]
        found["dialogue", kind] = tuple(_phrasing("dialogue", kind, "train", i, text) for i, text in said)
    for name in question_names(world, "tone"):
        found["tone", name] = tuple(_prompt(name, role, k) for role, n in counts.items() for k in range(n))
        for tone in load_pool(spec.relations[name].pools[0]):
            found["voice", tone] = tuple(_voice(tone, role, k) for role, n in counts.items() for k in range(n))
    return Pack("small", "1", "", found)


def _phrasing(style: str, relation: str, role: PhrasingRole, name: str, source: str, kind: str = "") -> Phrasing:
    return Phrasing(style, relation, role, name, kind, source, 1)


def _in_style(style: str, phrasing: Phrasing) -> Phrasing:
    return Phrasing(style, phrasing.relation, phrasing.role, phrasing.id, "", phrasing.source, 1)


def _kinds(world: World, style: str, name: str) -> tuple[str, ...]:
    """The kinds that the phrasings of a question take in turn."""
    if name.split(".")[0] in ("compare", "most"):
        return ("more", "less")
    if style != "numeric" or name.split(".")[0] == "difference":
        return ("",)
    return ("", "year", "iso") if world.source_of(name).value_type == "date" else ("", "words", "rounded")


def _asked(style: str, file: str, role: PhrasingRole, k: int, kind: str) -> Phrasing:
    """A question of its own words: style, relation, role and number stand in it."""
    words = f"{style} {role} {'xyzuvw'[k]} {file.replace('.', ' ').replace('_', ' ')}"
    operator = file.split(".")[0]
    about = "of {{ they }} {{ topic }}"
    if operator in ("compare", "both"):
        about = "of {{ one }} and {{ two }}"
    elif operator == "difference":
        about = "of {{ larger }} above {{ smaller }}"
    elif style == "reverse":
        about = "for {{ value }}"
    return _phrasing(style, file, role, f"{_LETTER[role]}{k}", f"Say {words} {about}, {kind or 'please'}.", kind)


def _told(file: str, k: int) -> str:
    return f"{{{{ They }}}} has as {file.replace('.', ' ')} {{{{ topic }}}} {'xyzuvw'[k]} {{{{ value }}}}."


def _backward(file: str, k: int) -> str:
    return f"It is {{{{ value }}}} that is {file.replace('.', ' ')} {{{{ topic }}}} {'xyzuvw'[k]} of {{{{ them }}}}."


def _prompt(name: str, role: PhrasingRole, k: int) -> Phrasing:
    text = f"{{{{ name }}}}, {role} {'xyzuvw'[k]}?\n---\nContent {role} {'xyzuvw'[k]}."
    return _phrasing("tone", name, role, f"{_LETTER[role]}{k}", text)


def _voice(tone: str, role: PhrasingRole, k: int) -> Phrasing:
    return _phrasing("voice", tone, role, f"{_LETTER[role]}{k}", f"So {tone} {role} {'xyzuvw'[k]}: {{{{ content }}}}")


# ---- rows


@dataclass(frozen=True)
class Made:
    """The rows of a world in some styles: by (style, split); its facts and entities by id."""

    world: World
    pack: Pack
    rows: Mapping[tuple[str, str], list[Row]]
    facts: Mapping[str, Row]
    entities: Mapping[str, Row]

    def of(self, style: str, *splits: str) -> Iterator[Row]:
        """The rows of a style in some splits (in all, where none is named)."""
        for (config, split), rows in self.rows.items():
            if config == style and (not splits or split in splits):
                yield from rows

    def named(self, **columns: str) -> list[Row]:
        """The facts with some columns."""
        return [row for row in self.facts.values() if all(row[key] == value for key, value in columns.items())]

    def doses(self, style: str, *splits: str) -> dict[str, int]:
        """How often each fact is stated or asked, by the repeats of its rows (implications and reasoning left out)."""
        found: dict[str, int] = {}
        for row in self.of(style, *(splits or TRAINING)):
            derived = style not in DOCUMENT_STYLES and len(row["fact_ids"]) > 1
            for fact in row["fact_ids"] if row.get("kind") != "implication" and not derived else ():
                found[fact] = found.get(fact, 0) + row["repeat"]
        return found


def made(spec: WorldSpec, *styles: str, seed: str = "7", pack: Pack | None = None) -> Made:
    """The rows of a spec in some styles (in all it can be written in, where none is named)."""
    world, pack = build_world(spec, seed), pack or pack_of(spec)
    rows: dict[tuple[str, str], list[Row]] = {}
    for unit in plan_units(world, pack, styles_for(list(styles) or ["all"], spec)):
        rows.setdefault((unit.config, unit.split), []).extend(unit_table(world, pack, unit).to_pylist())
    facts = {row["fact_id"]: row for row in rows.pop(("facts", "train"))}
    entities = {row["entity_id"]: row for row in rows.pop(("entities", "train"))}
    return Made(world, pack, rows, facts, entities)
