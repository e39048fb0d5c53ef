"""Who is written where: which blocks stand in a split of a style, in which phrasings, asked as which probe."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from kbench.generator.hashing import Ints, below, stream_key
from kbench.generator.ownfacts.world import FactWorld
from kbench.generator.packs import PhrasingRole
from kbench.generator.world import Mask, World
from kbench.schema import DOCUMENT_STYLES, REASONING, ROLES, Probe, Role, Split

_PROBES: dict[str, Probe] = {
    "cloze": "cross_style",
    "multihop": "multihop",
    "reverse": "reverse",
    "choice": "choice",
}


@dataclass(frozen=True)
class Section:
    """A run of blocks of one role in one split."""

    role: Role
    blocks: Ints
    phrasing: PhrasingRole
    probe: Probe
    untold: bool = False
    """Whether only facts that pretraining never states are written here."""


def sections(world: World, style: str, split: Split) -> list[Section]:
    """The sections of a split of a style, in the order their rows are written."""
    if split == "pretrain":
        return _pretrain(world, style)
    untold = world.spec.background.taught
    if split == "train":
        taught: list[Role] = ["new"] if style in DOCUMENT_STYLES and not untold else ["new", "known"]
        probe: Probe = "" if style in DOCUMENT_STYLES else "recall"
        found = [Section(role, world.blocks(role), "train", probe, untold and role == "known") for role in taught]
        return _filled(found)
    if style in DOCUMENT_STYLES:
        return []
    if split == "control":
        return _filled([Section("control", world.blocks("control"), "test", "control")])
    if split == "validation" and not world.spec.exposure.validation:
        return []
    asked = [
        Section("new", world.blocks("new"), split, "paraphrase"),
        Section("known", world.blocks("known"), split, "paraphrase", untold),
    ]
    return _filled([*asked, Section("background", background_blocks(world, asked=False), split, "known")])


def probe_of(section: Section, style: str, name: str) -> Probe:
    """What a question of a section tests: its kind of reasoning or its style says it, where the section does not."""
    if section.probe != "paraphrase":
        return section.probe
    return REASONING.get(name.split(".")[0], _PROBES.get(style, "paraphrase"))


def background_blocks(world: World, *, asked: bool) -> Ints:
    """The background blocks whose questions are pretrained, or those that are held out for the probe `known`."""
    blocks = world.blocks("background")
    chosen: Ints = blocks[_is_asked(world, np.arange(blocks.size)) == asked]
    return chosen


def _is_asked(world: World, ordinal: Ints) -> Mask:
    share = Fraction(str(world.spec.background.questions))
    distinct, at = np.unique(ordinal, return_inverse=True)
    asked = [(int(k) + 1) * share // 1 > int(k) * share // 1 for k in distinct]
    return np.asarray(asked, dtype=bool)[at]


def hop_phrasing(world: World, section: Section, block: Ints) -> dict[PhrasingRole, Mask]:
    """In which phrasings the one-hop question about an entity of each block is asked, seen from a section.

    A fact of the section's own blocks is asked as the section is; one of the background as that block is.
    """
    held_out: PhrasingRole = "test" if section.phrasing == "train" else section.phrasing
    own, asked = np.isin(block, section.blocks), _is_asked(world, block // len(ROLES))
    found: dict[PhrasingRole, Mask] = {}
    for role, rows in ((section.phrasing, own), ("train", ~own & asked), (held_out, ~own & ~asked)):
        found[role] = found[role] | rows if role in found else rows
    return found


def is_taught(world: World, kind: str, index: Ints) -> Mask:
    """Which entities are subjects of reasoning questions in training; the others are those of the tests."""
    if isinstance(world, FactWorld):  # so few may they be that halves are to be halves
        taught: Mask = world.rank("taught", kind, index, 2) == 0
    else:
        taught = below(stream_key(world.seed, "taught", kind), index, 2) == 0
    return taught


def stated(world: World, role: Role, name: str, kind: str, index: Ints) -> Ints:
    """How many times what is told of entities of a type is stated in the training text of one style.

    That is documents, and questions of new facts; `name` is the relation, whose `tiered` counts.
    """
    background = world.spec.background
    if role == "control":
        return np.zeros(index.size, dtype=np.int64)
    if role == "new":
        return asked_times(world, name, kind, index)
    if background.tiers and role == "known":
        return _tier(world, name, kind, index, background.tiers, background.exposures)
    if background.popularity == "flat":
        return np.full(index.size, background.exposures, dtype=np.int64)
    return np.minimum(world.popularity(kind, index), background.exposures)


def exposures(world: World, role: Role, name: str, kind: str, index: Ints) -> Ints:
    """How many times each fact is stated in all, as `facts` has it: where pretraining left it out, as it is taught."""
    told = stated(world, role, name, kind, index)
    if role == "known" and world.spec.background.taught:
        return np.where(told == 0, asked_times(world, name, kind, index), told)
    return told


def asked_times(world: World, name: str, kind: str, index: Ints) -> Ints:
    """How many times each fact of `new` and `known` entities is asked in training."""
    exposure = world.spec.exposure
    if exposure.tiers:
        return _tier(world, name, kind, index, exposure.tiers, exposure.exposures)
    if exposure.popularity == "zipf":
        return np.minimum(world.popularity(kind, index), exposure.exposures)
    return np.full(index.size, exposure.exposures, dtype=np.int64)


def _tier(world: World, name: str, kind: str, index: Ints, tiers: tuple[int, ...], others: int) -> Ints:
    if not world.spec.relations[name.split(".")[0]].tiered:
        return np.full(index.size, others, dtype=np.int64)
    return np.asarray(tiers, dtype=np.int64)[world.rank("tier", kind, index, len(tiers))]


def _pretrain(world: World, style: str) -> list[Section]:
    styles = world.spec.background.styles
    if style not in styles and not (style == "qa" and {"multihop", "reverse"} & set(styles)):
        return []
    if style not in DOCUMENT_STYLES:
        return _filled([Section("background", background_blocks(world, asked=True), "train", "known")])
    # The questions of `known` entities are in `train`, where the arms of a study choose among them.
    return _filled([Section(role, world.blocks(role), "train", "") for role in ("background", "known")])


def _filled(found: list[Section]) -> list[Section]:
    return [section for section in found if section.blocks.size]
