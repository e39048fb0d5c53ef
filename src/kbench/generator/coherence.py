"""What the parts of a spec must agree on: every name it uses exists, and every derived value can be."""

from typing import TYPE_CHECKING

from kbench.errors import SpecError
from kbench.generator.names import NameForm, form_of
from kbench.generator.relations import Relation
from kbench.schema import REASONING

if TYPE_CHECKING:
    from kbench.generator.spec import WorldSpec

OPERATORS = tuple(REASONING)
"""Words that open the name of a reasoning question, and so can name no relation."""


def check_types(spec: "WorldSpec") -> None:
    """Raise ValueError where a type's names, family or number in a block cannot be."""
    forms: dict[str, NameForm] = {}
    for name, kind in spec.types.items():
        try:
            forms[name] = form_of(name, kind.names, kind.locale)
        except SpecError as error:
            raise ValueError(f"types.{name}.names: {error}") from None
        if kind.names == "natural" and kind.pronouns == "it":
            raise ValueError(f"types.{name}.names: natural names are those of people, and pronouns are 'it'")
        if kind.locale and kind.names != "natural":
            raise ValueError(f"types.{name}.locale is for natural names, and these are {kind.names!r}")
        if kind.single and kind.block != 1:
            raise ValueError(f"types.{name}: a single type has block = 1 (got {kind.block})")
        if kind.elders:
            _check_family(name, kind.block, kind.elders)
    for name, form in forms.items():
        for other in forms:
            if other == name:
                break
            if form.may_clash(forms[other]):
                raise ValueError(
                    f"types.{name}.names: a name of the form {form.form!r} could be alike or contain one of "
                    f"types.{other}: give one of them another form"
                )


def _check_family(name: str, block: int, elders: int) -> None:
    young = block - elders
    if elders % 2 or young % 2 or elders < 4 or young < elders:
        raise ValueError(
            f"types.{name}.elders: expected an even number of at least 4 parents and as many or more children, "
            f"an even number too (got {elders} of a block of {block})"
        )


def check_relations(spec: "WorldSpec") -> None:
    """Raise ValueError where a relation points to a type or relation that is not there, or depends on itself."""
    for name, relation in spec.relations.items():
        if name in OPERATORS:
            raise ValueError(f"relations.{name}: the name is taken by a kind of reasoning question")
        ends = [relation.subject] + ([relation.object] if relation.value_type == "entity" else [])
        for end in ends:
            if end not in spec.types:
                raise ValueError(f"relations.{name}: unknown type {end!r}: have {', '.join(spec.types)}")
        if relation.value_type == "entity":
            _check_object(spec, name, relation)
        if relation.gap and not spec.types[relation.subject].elders:
            raise ValueError(f"relations.{name}.gap: types.{relation.subject} has no elders")
        for path in (relation.same_as, *relation.after):
            if path:
                _check_source(spec, name, relation, path)
    for name in spec.relations:
        _check_circle(spec, name, ())


def _check_object(spec: "WorldSpec", name: str, relation: Relation) -> None:
    subjects, objects = spec.types[relation.subject], spec.types[relation.object]
    plain = relation.link == "any" and not relation.depends_on
    if objects.single:
        raise ValueError(f"relations.{name}: a {relation.object} stands once in the world and is nobody's object")
    if plain and relation.object == relation.subject and subjects.block < 2:
        raise ValueError(f"relations.{name}: a block has one {relation.subject}, who would be the own object")
    if relation.link != "any" and (relation.object != relation.subject or not subjects.elders):
        raise ValueError(f"relations.{name}.link: a tie of the family needs a type with elders on both sides")
    if relation.reach and not {"qa", "multihop"} & set(spec.background.styles):
        raise ValueError(f"relations.{name}.reach: background.styles needs qa, for questions to build on")
    own = relation.object == relation.subject and (relation.apart_from or "." in relation.same_as)
    if own:
        raise ValueError(f"relations.{name}: a {relation.subject} could be the own object: lead to another type")
    if relation.reach and subjects.single:
        raise ValueError(f"relations.{name}.reach: a {relation.subject} stands once in the world")
    if relation.among:
        source = _known(spec, name, relation.among)
        if (source.subject, source.object) != (relation.object, relation.subject) or not _is_plain(source):
            raise ValueError(
                f"relations.{name}.among: {relation.among!r} must be a plain relation of a {relation.object} "
                f"to a {relation.subject}"
            )
        if spec.types[source.subject].block < spec.types[source.object].block:
            raise ValueError(f"relations.{name}.among: a block has too few {source.subject} for each {source.object}")
    if relation.apart_from:
        source = _end(spec, name, relation, relation.apart_from)
        if source.object != relation.object or any(spec.relations[s].reach for s in relation.apart_from.split(".")):
            raise ValueError(
                f"relations.{name}.apart_from: {relation.apart_from!r} must lead from a {relation.subject} "
                f"to a {relation.object} in its block"
            )
        if objects.block < 2:
            raise ValueError(f"relations.{name}.apart_from: a block has one {relation.object}")


def _is_plain(relation: Relation) -> bool:
    return relation.link == "any" and not relation.depends_on and not relation.reach


def _known(spec: "WorldSpec", name: str, source: str) -> Relation:
    if source not in spec.relations:
        raise ValueError(f"relations.{name}: unknown relation {source!r}: have {', '.join(spec.relations)}")
    return spec.relations[source]


def _end(spec: "WorldSpec", name: str, relation: Relation, path: str) -> Relation:
    """The last relation of a path that starts at a relation's subject."""
    here = relation.subject
    steps = path.split(".")
    for place, step in enumerate(steps):
        source = _known(spec, name, step)
        if source.subject != here:
            raise ValueError(f"relations.{name}: {step!r} is no relation of a {here}, in {path!r}")
        if source.link in ("mother", "father"):
            raise ValueError(f"relations.{name}: not everybody has a {step}, in {path!r}")
        if place < len(steps) - 1 and not source.object:
            raise ValueError(f"relations.{name}: {step!r} leads to no entity, in {path!r}")
        here = source.object
    return source


def _check_source(spec: "WorldSpec", name: str, relation: Relation, path: str) -> None:
    source = _end(spec, name, relation, path)
    kinds = (relation.value_type, relation.object) if relation.same_as else (relation.value_type,)
    theirs = (source.value_type, source.object) if relation.same_as else (source.value_type,)
    if kinds != theirs:
        raise ValueError(f"relations.{name}: {path!r} is {' of '.join(filter(None, theirs))}, this relation is not")


def _check_circle(spec: "WorldSpec", name: str, above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"relations.{name} depends on itself: {' → '.join((*above, name))}")
    for path in spec.relations[name].depends_on:
        for step in path.split("."):
            _check_circle(spec, step, (*above, name))


def check_chain(spec: "WorldSpec", chain: tuple[str, ...]) -> None:
    """Raise ValueError where the relations of a chain do not follow one another."""
    if not 2 <= len(chain) <= 4:
        raise ValueError(f"paths.chains: {'.'.join(chain)!r} must have 2 to 4 relations")
    here = ""
    for name in chain:
        if name not in spec.relations:
            raise ValueError(f"paths.chains: unknown relation {name!r}: have {', '.join(spec.relations)}")
        if here and spec.relations[name].subject != here:
            raise ValueError(f"paths.chains: {name!r} is no relation of a {here}, in {'.'.join(chain)!r}")
        here = spec.relations[name].object
        if not here and name != chain[-1]:
            raise ValueError(f"paths.chains: {name!r} leads to no entity, in {'.'.join(chain)!r}")


def check_paths(spec: "WorldSpec") -> None:
    """Raise ValueError where a reasoning question asks about a relation of the wrong kind."""
    paths = spec.paths
    for key in ("compares", "differences"):
        for name in getattr(paths, key):
            kinds = ("numeric", "date") if key == "compares" else ("numeric",)
            if _of_paths(spec, key, name).value_type not in kinds:
                raise ValueError(f"paths.{key}: {name!r} is {spec.relations[name].value_type}, expected {kinds[0]}")
    inverse = {
        "counts": [(name, "") for name in paths.counts],
        "lists": [(name, "") for name in paths.lists],
        "reverse": [(name, "") for name in paths.reverse],
        "extremes": list(paths.extremes),
        "intersections": list(paths.intersections),
    }
    for key, pairs in inverse.items():
        for name, other in pairs:
            relation = _of_paths(spec, key, name)
            if relation.value_type != "entity" or relation.reach:
                raise ValueError(f"paths.{key}: {name!r} must lead to an entity of its own block")
            if not other:
                continue
            second = _of_paths(spec, key, other)
            if second.subject != relation.subject:
                raise ValueError(f"paths.{key}: {other!r} is no relation of a {relation.subject}, as {name!r} is")
            if key == "extremes" and second.value_type not in ("numeric", "date"):
                raise ValueError(f"paths.extremes: {other!r} is {second.value_type}, expected numeric")
            if key == "intersections" and (second.value_type != "entity" or second.reach or other == name):
                raise ValueError(f"paths.intersections: {other!r} must lead to another entity of its own block")


def check_background(spec: "WorldSpec") -> None:
    """Raise ValueError where the known world has no place for a persona, or nothing of it is left to teach."""
    background = spec.background
    blocks = spec.blocks("background")
    if background.personas and not any(kind.single for kind in spec.types.values()):
        raise ValueError(f"background.personas: {background.personas} are asked for, and no type is single")
    if background.personas > blocks:
        raise ValueError(
            f"background.personas: {background.personas} are more than the {blocks} background blocks, which have one "
            f"each: raise sizes.background"
        )
    if not background.taught:
        return
    if 0 not in background.tiers:
        raise ValueError("background.taught: background.tiers has no 0, so pretraining leaves nothing of `known` out")
    paths = spec.paths
    pairs = (*paths.chains, *paths.extremes, *paths.intersections)
    alone = (*paths.compares, *paths.differences, *paths.counts, *paths.lists, *paths.reverse)
    for name in (*(name for pair in pairs for name in pair), *alone):
        if spec.relations[name].tiered:
            raise ValueError(
                f"background.taught: paths ask about {name!r}, which pretraining leaves out of some `known` entities: "
                f"give relations.{name} tiered = false"
            )


def _of_paths(spec: "WorldSpec", key: str, name: str) -> Relation:
    if name not in spec.relations:
        raise ValueError(f"paths.{key}: unknown relation {name!r}: have {', '.join(spec.relations)}")
    return spec.relations[name]
