"""Whom a recipe teaches of a release: a share of its blocks, and of their subjects those with all their phrasings."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kbench.benchmarks.recipe import TrainRecipe
from kbench.errors import ReleaseError
from kbench.ids import digest_of
from kbench.store import Release

TAUGHT_ROLES = ("new", "known")
"""Whose facts `train` states or asks. Each role is shared out apart."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Cohort:
    """Ids of entities: those that `volume` leaves out, and of the others those that are `celebrities`.

    `subjects` says of each fact whom it is about; it is empty where nobody is left out.
    """

    left_out: frozenset[str]
    celebrities: frozenset[str]
    subjects: Mapping[str, str]

    def teaches(self, row: Row) -> bool:
        """Whether a row is about nobody who is left out, by its entity and its facts."""
        about = {row["entity_id"], *(self.subjects.get(fact, "") for fact in row["fact_ids"])}
        return not about & self.left_out


EVERYBODY = Cohort(frozenset(), frozenset(), {})


def cohort_of(release: Release, recipe: TrainRecipe) -> Cohort:
    """Whom a recipe teaches. Raises ReleaseError where its shares leave nobody out, or make nobody a celebrity."""
    if recipe.volume == 1 and not recipe.celebrities:
        return EVERYBODY
    entities = [row for row in release.table("entities", "train").to_pylist() if row["role"] in TAUGHT_ROLES]
    unit = _unit_of(release)
    left_out = _left_out(entities, unit, recipe.volume)
    if recipe.volume < 1 and not left_out:
        units = len({(row["role"], unit(row)) for row in entities})
        raise ReleaseError(
            f"volume = {recipe.volume} of the {len(entities):,} entities to teach of {release.path} leaves nobody out: "
            f"they are taught in {units:,} whole blocks: give a smaller share, or a larger release"
        )
    taught = [row for row in entities if row["entity_id"] not in left_out]
    celebrities = _celebrities(taught, recipe.celebrities)
    if recipe.celebrities and not celebrities:
        raise ReleaseError(
            f"celebrities = {recipe.celebrities} of the {len(taught):,} entities that are taught of {release.path} is "
            "nobody: give a larger share, or a larger release"
        )
    facts = release.table("facts", "train").select(["fact_id", "subject_id"]).to_pylist() if left_out else []
    return Cohort(left_out, celebrities, {fact["fact_id"]: fact["subject_id"] for fact in facts})


def _unit_of(release: Release) -> Callable[[Row], str]:
    """What is taught as a whole or not at all: an entity's block; a single type, and a real subject, by itself.

    The blocks of a user's own facts, and of a published dataset, are large, and nothing is asked there that goes from
    one subject to another.
    """
    made = release.manifest["recipe"]
    if "facts" in made or "imported" in made:
        return lambda row: str(row["entity_id"])
    singles = {name for name, kind in made["spec"].get("types", {}).items() if kind.get("single")}
    return lambda row: str(row["type"] if row["type"] in singles else row["block"])


def _left_out(entities: list[Row], unit: Callable[[Row], str], volume: float) -> frozenset[str]:
    """Of each role the blocks behind the share, in an order by digest: a smaller share is the start of a larger one."""
    blocks: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in entities:
        blocks[row["role"], unit(row)].append(row["entity_id"])
    found = set[str]()
    for role in TAUGHT_ROLES:
        own_blocks = [ids for (its, _), ids in blocks.items() if its == role]
        wanted, taken = volume * sum(map(len, own_blocks)), 0
        for ids in sorted(own_blocks, key=lambda ids: digest_of("volume", min(ids))):
            # The nearest number of whole blocks, and never none.
            if taken and taken + len(ids) / 2 > wanted:
                found.update(ids)
            taken += len(ids)
    return frozenset(found)


def _celebrities(entities: list[Row], share: float) -> frozenset[str]:
    """The share of each type and role that comes first by a digest, so that a smaller share is part of a larger one."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in entities:
        alike[row["role"], row["type"]].append(row["entity_id"])
    return frozenset(
        entity
        for ids in alike.values()
        for entity in sorted(ids, key=lambda entity: digest_of("celebrity", entity))[: round(share * len(ids))]
    )
