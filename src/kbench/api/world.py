"""A world from Python: whom and what it holds, computed when it is asked for, and nothing written."""

import re
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kbench.api.recipes import DEFAULT_SEED, DEFAULT_SPEC, PathLike, Spec, Styles, recipe_of, restyled
from kbench.api.releases import Progress, write
from kbench.errors import KbenchError, SpecError
from kbench.generator.ownfacts.world import checked_world
from kbench.generator.packs import Pack
from kbench.generator.sections import Section, sections
from kbench.generator.shards import Unit, check_pack, plan_units, styles_for, unit_table
from kbench.generator.spec import WorldSpec, role_of
from kbench.generator.unfinished import Resume
from kbench.rows import Rows
from kbench.schema import ROLES, SPLITS, Role, schema_of
from kbench.store import Release

_TABLES = ("facts", "entities")
_ENTITY = re.compile(r"(?P<tag>[0-9a-f]{8})/(?P<kind>[^/]+)-(?P<index>\d{1,15})")


class World:
    """A fictional world, fixed by a spec and a seed; or the world of your own facts.

    Whatever is asked of it is computed then, from (spec, seed, id) alone: nothing is written, and the same arguments
    always give the same rows, which are also those that `kbench generate` writes.

    Args:
        spec: a built-in world by name (default, known, lab, starter, style-to-facts), a TOML file, or the same tables
            as a dict.
        seed: the seed of the world, any text; 7 is the text "7".
        entities: new subject entities, rounded up to whole blocks; the spec's own number if None.
        facts: your own facts instead of a world: CSV, JSONL or Parquet with the columns subject, relation, value.
        templates: the folder of a template pack; the built-in one if None.
        seed_file: the file with the seed of a private world, which is never printed.

    Raises SpecError where such a world cannot be, TemplateError where the templates cannot be read.

    >>> world = kbench.World("lab", seed=7)
    >>> world
    world b7adeec1 of the spec 'lab'
      entities   42 new, 21 control, 84 background
      types      person (5 relations), company (1 relation)
      relations  6
      styles     qa, dialogue, article, statement, cloze, numeric, multihop, choice
    >>> world.rows("qa", "test")[0]["question"]
    'Can you name the trade by which Gilmalan earns a living?'
    >>> world.fact("b7adeec1/person-0/employer")["value"]
    'Glerkantuft'
    >>> world.entity("b7adeec1/person-0")
    {'entity_id': 'b7adeec1/person-0', 'type': 'person', 'name': 'Gilmalan', 'popularity': 1, 'block': 0, 'role': 'new'}
    """

    def __init__(
        self,
        spec: Spec = DEFAULT_SPEC,
        seed: str | int = DEFAULT_SEED,
        *,
        entities: int | None = None,
        facts: PathLike | None = None,
        templates: PathLike | None = None,
        seed_file: PathLike | None = None,
    ) -> None:
        self._recipe = recipe_of(
            "all", spec=spec, seed=seed, entities=entities, facts=facts, templates=templates, seed_file=seed_file
        )
        self._world = checked_world(self._recipe.spec, self._recipe.seed)

    @property
    def spec(self) -> WorldSpec:
        """Types, relations, sizes and exposures, all defaults filled in; `spec.to_dict()` gives plain values."""
        return self._recipe.spec

    @property
    def tag(self) -> str:
        """The 8 hex digits that begin every id of this world."""
        return self._world.tag

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles that this world can be written in: what `style="all"` means."""
        return self._recipe.styles

    @property
    def sizes(self) -> dict[Role, int]:
        """How many entities there are of each role that has any."""
        return {role: n for role in ROLES if (n := self._world.count(role))}

    def splits(self, style: str) -> list[str]:
        """The splits that a style has in this world; `facts` and `entities` have the one split `train`."""
        self._check(style)
        return ["train"] if style in _TABLES else [split for split in SPLITS if sections(self._world, style, split)]

    def rows(self, style: str, split: str = "train") -> Rows:
        """The rows of a split, the same and in the same order as in a release, all of them in memory.

        Questions take some 300 bytes a row; `generate` writes worlds of any size in bounded memory.

        Raises SpecError where the world has no such split, TemplateError where a template cannot be rendered.
        """
        have = self.splits(style)
        if split not in have:
            raise SpecError(f"world {self.tag} has no {style}/{split}: have {', '.join(f'{style}/{s}' for s in have)}")
        wanted = () if style in _TABLES else (style,)
        check_pack(self.spec, self._pack, wanted)
        units = plan_units(self._world, self._pack, wanted)
        tables = [unit_table(self._world, self._pack, u) for u in units if (u.config, u.split) == (style, split)]
        return Rows(pa.concat_tables(tables), f"{style}/{split}")

    def entities(self) -> Rows:
        """Every entity of the world: its id, type, name, popularity, block and role."""
        return self.rows("entities")

    def facts(self, about: str | None = None) -> Rows:
        """Every fact of the world, or those about one entity, by its id.

        Raises KbenchError where there is no such entity.
        """
        if about is None:
            return self.rows("facts")
        found = self._beside(about, about, "facts", "subject_id")
        if found is None:
            self.entity(about)  # whom nothing is said of, or who is not there
            found = schema_of("facts").empty_table()
        return Rows(found, f"facts about {about}")

    def entity(self, entity_id: str) -> dict[str, Any]:
        """An entity by its id, at the cost of one block, however large the world. Raises KbenchError if there is none.

        A world goes on beyond its sizes, but whom no release of these sizes would name is not there.
        """
        return self._only(self._beside(entity_id, entity_id, "entities", "entity_id"), entity_id, "entities")

    def fact(self, fact_id: str) -> dict[str, Any]:
        """A fact by its id, `<world>/<entity>/<relation>`, at the cost of one block. Raises KbenchError if none."""
        return self._only(self._beside(fact_id.rpartition("/")[0], fact_id, "facts", "fact_id"), fact_id, "facts")

    def generate(
        self,
        out: PathLike,
        style: Styles = "qa",
        *,
        workers: int = 1,
        resume: Resume = "if_possible",
        check: bool = False,
        progress: Progress = lambda done, total, rows: None,
    ) -> Release:
        """Write a release of this world; the arguments, and what is raised, are those of `kbench.generate`."""
        recipe = restyled(self._recipe, style)
        return write(recipe, out, workers=workers, resume=resume, check=check, progress=progress)

    def __repr__(self) -> str:
        """Its tag, its sizes by role, its types and how many relations they have."""
        types = [(kind, len(self.spec.relations_of(kind))) for kind in self.spec.types]
        told = {
            "entities": ", ".join(f"{n:,} {role}" for role, n in self.sizes.items()),
            "types": ", ".join(f"{kind} ({n} relation{'' if n == 1 else 's'})" for kind, n in types),
            "relations": f"{len(self.spec.relations):,}",
            "styles": ", ".join(self.styles),
        }
        lines = [f"  {key:<9}  {value}" for key, value in told.items()]
        return "\n".join([f"world {self.tag} of the spec {self.spec.name!r}", *lines])

    @cached_property
    def _pack(self) -> Pack:
        return self._recipe.pack()

    def _check(self, style: str) -> None:
        if style not in _TABLES:
            styles_for([style], self.spec)

    def _beside(self, entity_id: str, wanted: str, table: str, column: str) -> pa.Table | None:
        """The rows of a table that have an id in a column, from the block where their entity stands; None if none."""
        found = _ENTITY.fullmatch(entity_id)
        if found and found["tag"] == self.tag and found["kind"] in self.spec.types:
            block = self._world.block_of(found["kind"], np.asarray([int(found["index"])]))
            role = role_of(int(block[0]))
            if block[0] in self._world.blocks(role):
                unit = Unit(table, "train", 0, 1, (Section(role, block, "train", ""),))
                rows = unit_table(self._world, self._pack, unit)
                mine = rows.filter(pc.equal(rows.column(column), wanted))
                if mine.num_rows:
                    return mine
        return None

    def _only(self, found: pa.Table | None, wanted: str, table: str) -> dict[str, Any]:
        """The one row. Raises KbenchError where there is none."""
        if found is None:
            form = "<type>-<number>" + ("/<relation>" if table == "facts" else "")
            raise KbenchError(
                f"no {'fact' if table == 'facts' else 'entity'} {wanted!r} in world {self.tag}: expected an id like "
                f"{self.tag}/{form}, with a type of {', '.join(self.spec.types)}; .{table}() has all of them"
            )
        row: dict[str, Any] = found.to_pylist()[0]
        return row
