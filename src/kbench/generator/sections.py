"""Who is written where: which blocks stand in a split of a style, in which phrasings, asked as which probe."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kbench.generator.hashing import Ints, below, stream_key
from kbench.generator.packs import PhrasingRole
from kbench.generator.world import World
from kbench.schema import DOCUMENT_STYLES, Probe, Role, Split

REASONING_STYLES = frozenset({"multihop"})
"""Styles whose subjects in `train` and in `validation` and `test` are disjoint."""


@dataclass(frozen=True)
class Section:
    """A run of blocks of one role in one split."""

    role: Role
    blocks: Ints
    phrasing: PhrasingRole
    probe: Probe


def sections(world: World, style: str, split: Split) -> list[Section]:
    """The sections of a split of a style, in the order their rows are written."""
    if split == "pretrain":
        return _pretrain(world, style)
    if split == "train":
        taught: list[Role] = ["new"] if style in DOCUMENT_STYLES else ["new", "known"]
        probe: Probe = "" if style in DOCUMENT_STYLES else "recall"
        return _filled([Section(role, world.blocks(role), "train", probe) for role in taught])
    if style in DOCUMENT_STYLES:
        return []
    if split == "control":
        return _filled([Section("control", world.blocks("control"), "test", "control")])
    if split == "validation" and not world.spec.exposure.validation:
        return []
    held_out = _test_probe(style)
    asked = [Section(role, world.blocks(role), split, held_out) for role in ("new", "known")]
    return _filled([*asked, Section("background", background_blocks(world, asked=False), split, "known")])


def background_blocks(world: World, *, asked: bool) -> Ints:
    """The background blocks whose questions are pretrained, or those that are held out for the probe `known`."""
    blocks = world.blocks("background")
    share = Fraction(str(world.spec.background.questions))
    order = np.arange(blocks.size)
    asks = np.asarray([(int(k) + 1) * share // 1 > int(k) * share // 1 for k in order], dtype=bool)
    chosen: Ints = blocks[asks] if asked else blocks[~asks]
    return chosen


def is_taught(world: World, style: str, path: str, index: Ints) -> NDArray[np.bool_]:
    """Which subjects of a reasoning style are trained on; the others are tested, on every path that starts at them."""
    kind = world.spec.start_of(path)
    chains = [".".join(chain) for chain in world.spec.paths.chains]
    first = next(chain for chain in chains if world.spec.start_of(chain) == kind)
    taught: NDArray[np.bool_] = below(stream_key(world.seed, "taught", style, first), index, 2) == 0
    return taught


def exposures(world: World, role: Role, kind: str, index: Ints) -> Ints:
    """How many times each fact of an entity is stated in the training text of one style."""
    spec = world.spec
    if role == "control":
        return np.zeros(index.size, dtype=np.int64)
    if role == "new":
        return np.full(index.size, spec.exposure.exposures, dtype=np.int64)
    if spec.background.popularity == "flat":
        return np.full(index.size, spec.background.exposures, dtype=np.int64)
    return np.minimum(world.popularity(kind, index), spec.background.exposures)


def _pretrain(world: World, style: str) -> list[Section]:
    styles = world.spec.background.styles
    if style not in styles and not (style == "qa" and "multihop" in styles):
        return []
    if style not in DOCUMENT_STYLES:
        return _filled([Section("background", background_blocks(world, asked=True), "train", "known")])
    # The questions of `known` entities are in `train`, where the arms of a study choose among them.
    return _filled([Section(role, world.blocks(role), "train", "") for role in ("background", "known")])


def _test_probe(style: str) -> Probe:
    if style == "cloze":
        return "cross_style"
    return "multihop" if style in REASONING_STYLES else "paraphrase"


def _filled(found: list[Section]) -> list[Section]:
    return [section for section in found if section.blocks.size]
