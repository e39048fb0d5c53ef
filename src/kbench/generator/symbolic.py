"""A template's syntax tree run once with columns in place of values: what it prints, piece after piece.

What only lays columns out (loops over sentences, slices, conditions on their number) is decided in the run; an
expression that looks into a column stays Jinja's, as a piece that is evaluated for each distinct entry.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, meta, nodes
from jinja2.nodes import EvalContext

from kbench.generator.packs import environment

_LOOP = ("index", "index0", "revindex", "revindex0", "first", "last", "length")


@dataclass(frozen=True)
class Slot:
    """A column, printed as it is; of a list of columns, the place in it."""

    name: str
    place: int = -1


@dataclass(frozen=True)
class Derived:
    """A part of a template that looks into columns: Jinja renders it for each distinct entry of them."""

    names: tuple[tuple[str, str], ...]
    """What the part calls each column, and the column."""
    constants: tuple[tuple[str, Any], ...]
    template: Template


Piece = str | Slot | Derived


class NotLowered(Exception):
    """A template that looks into what is only known row by row."""


@dataclass(frozen=True)
class Text:
    """A text that is known only row by row, made of pieces."""

    pieces: tuple[Piece, ...]


class _Stream(list[Any]):
    """What Jinja gives as an iterator: it has no length and no places."""


@dataclass(frozen=True)
class _Loop:
    """What a loop knows of itself."""

    index0: int
    length: int

    def __getitem__(self, name: str) -> int | bool:
        if name not in _LOOP:
            raise NotLowered
        found: dict[str, int | bool] = {
            "index": self.index0 + 1,
            "index0": self.index0,
            "revindex": self.length - self.index0,
            "revindex0": self.length - self.index0 - 1,
            "first": self.index0 == 0,
            "last": self.index0 == self.length - 1,
            "length": self.length,
        }
        return found[name]


class Run:
    """One run of a template's statements over what is known. Anything it has no rule for raises NotLowered."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = dict(known)

    def body(self, statements: list[nodes.Node]) -> Iterator[Piece]:
        for statement in statements:
            try:
                yield from list(self.statement(statement))
            except NotLowered:
                yield self.derived(statement, [statement])

    def statement(self, node: nodes.Node) -> Iterator[Piece]:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                yield from (part.data,) if isinstance(part, nodes.TemplateData) else self.printed(part)
        elif isinstance(node, nodes.If):
            yield from self.body(self.branch(node))
        elif isinstance(node, nodes.For):
            yield from self.loop(node)
        elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
            assert isinstance(node.node, nodes.Expr)
            value = self.value(node.node)
            if isinstance(value, _Stream):
                raise NotLowered  # who comes second finds it empty
            self.known[node.target.name] = value
        else:
            raise NotLowered

    def printed(self, node: nodes.Expr) -> Iterator[Piece]:
        try:
            value = self.value(node)
        except NotLowered:
            yield self.derived(node, [nodes.Output([node], lineno=node.lineno)])
            return
        if isinstance(value, Text):
            yield from value.pieces
        elif isinstance(value, bool | int | float | str) or value is None:
            yield str(value)
        else:
            raise NotLowered

    def branch(self, node: nodes.If) -> list[nodes.Node]:
        for test, body in ((node.test, node.body), *((other.test, other.body) for other in node.elif_)):
            assert isinstance(test, nodes.Expr)
            if self.concrete(test):
                return body
        return node.else_

    def loop(self, node: nodes.For) -> Iterator[Piece]:
        assert isinstance(node.iter, nodes.Expr)
        entries = self.value(node.iter)
        if node.test or node.recursive or not isinstance(node.target, nodes.Name) or not isinstance(entries, list):
            raise NotLowered
        if any(node.find_all((nodes.Assign, nodes.AssignBlock))):
            raise NotLowered  # what a loop sets, and how long it lasts, is Jinja's to tell
        if not entries:
            yield from self.body(node.else_)
        for index, entry in enumerate(entries):
            inner = Run({**self.known, node.target.name: entry, "loop": _Loop(index, len(entries))})
            yield from inner.body(node.body)

    def value(self, node: nodes.Expr) -> Any:
        """A concrete value, a Text, or a list of them."""
        if isinstance(node, nodes.Name):
            if node.name not in self.known:
                raise NotLowered
            return self.known[node.name]
        if isinstance(node, nodes.Filter) and node.node is not None and not node.dyn_args and not node.dyn_kwargs:
            rule = _FILTERS.get(node.name)
            inner = self.value(node.node) if rule else None
            if rule and isinstance(inner, list) and not node.kwargs:
                return rule(inner, *[self.concrete(argument) for argument in node.args])
        if isinstance(node, nodes.Getitem):
            inner = self.value(node.node)
            if isinstance(inner, list) and not isinstance(inner, _Stream):
                return self.item(inner, node.arg)
        if isinstance(node, nodes.Concat):
            return Text(tuple(piece for part in node.nodes for piece in self.printed(part)))
        if isinstance(node, nodes.CondExpr) and node.expr2 is not None:
            return self.value(node.expr1 if self.concrete(node.test) else node.expr2)
        return self.concrete(node)

    def item(self, entries: list[Any], place: nodes.Expr) -> Any:
        if isinstance(place, nodes.Slice):
            ends: list[Any] = [part and self.concrete(part) for part in (place.start, place.stop, place.step)]
            return entries[slice(*ends)]
        at = self.concrete(place)
        if not isinstance(at, int) or not -len(entries) <= at < len(entries):
            raise NotLowered
        return entries[at]

    def concrete(self, node: nodes.Expr) -> Any:
        """The value of an expression that looks into no column."""
        if isinstance(node, nodes.Filter) and node.name in ("length", "count") and isinstance(node.node, nodes.Name):
            if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
                raise NotLowered
            entries = self.known.get(node.node.name)
            if isinstance(entries, list) and not isinstance(entries, _Stream):
                return len(entries)
        if isinstance(node, nodes.BinExpr) and node.operator in _ARITHMETIC:
            left, right = self.concrete(node.left), self.concrete(node.right)
            if type(left) is int and type(right) is int:
                return _ARITHMETIC[node.operator](left, right)
            raise NotLowered
        if isinstance(node, nodes.Compare) and len(node.ops) == 1 and node.ops[0].op in _COMPARISONS:
            left, right = self.concrete(node.expr), self.concrete(node.ops[0].expr)
            if type(left) is int and type(right) is int:
                return _COMPARISONS[node.ops[0].op](left, right)
            raise NotLowered
        if isinstance(node, nodes.Not):
            return not self.concrete(node.node)
        if isinstance(node, nodes.And | nodes.Or):
            left = self.concrete(node.left)
            return self.concrete(node.right) if bool(left) is isinstance(node, nodes.And) else left
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "loop":
            loop = self.known.get("loop")
            if isinstance(loop, _Loop):
                return loop[node.attr]
        if isinstance(node, nodes.Name):
            found = self.known.get(node.name)
            if type(found) in (int, str, bool, float):
                return found
            raise NotLowered
        if any(node.find_all(nodes.Name)):
            raise NotLowered
        try:
            return node.as_const(EvalContext(environment()))
        except nodes.Impossible:
            raise NotLowered from None

    def derived(self, node: nodes.Node, body: list[nodes.Node]) -> Derived:
        """A part of the template that Jinja renders for each distinct entry of the columns it looks into."""
        if any(node.find_all((nodes.Assign, nodes.AssignBlock, nodes.Macro, nodes.Block))):
            raise NotLowered  # what follows would miss it
        if isinstance(node, nodes.Assign | nodes.AssignBlock | nodes.Macro | nodes.Block):
            raise NotLowered
        whole = nodes.Template(body, lineno=1)
        whole.set_environment(environment())
        names, constants = [], []
        for name in sorted(meta.find_undeclared_variables(whole)):
            value = self.known.get(name)
            if isinstance(value, Text) and len(value.pieces) == 1 and isinstance(value.pieces[0], Slot):
                if value.pieces[0].place >= 0:
                    raise NotLowered
                names.append((name, value.pieces[0].name))
            elif type(value) in (int, str, bool, float):
                constants.append((name, value))
            elif name not in environment().globals or name in self.known:
                raise NotLowered
        code = environment().compile(whole)
        template = Template.from_code(environment(), code, {**environment().globals})
        return Derived(tuple(names), tuple(constants), template)


def join(entries: list[Any], between: Any = "") -> Text:
    pieces: list[Piece] = []
    for place, entry in enumerate(entries):
        if place:
            pieces.append(str(between))
        if isinstance(entry, Text):
            pieces += entry.pieces
        elif isinstance(entry, str):
            pieces.append(entry)
        else:
            raise NotLowered
    return Text(tuple(pieces))


def _batch(entries: list[Any], size: Any) -> _Stream:
    if type(size) is not int or size < 1:
        raise NotLowered
    return _Stream(entries[start : start + size] for start in range(0, len(entries), size))


def _map(entries: list[Any], name: Any, *arguments: Any) -> _Stream:
    if name != "join" or len(arguments) > 1 or not all(isinstance(entry, list) for entry in entries):
        raise NotLowered
    return _Stream(join(entry, *arguments) for entry in entries)


def _end(place: int) -> Callable[[list[Any]], Any]:
    def end(entries: list[Any]) -> Any:
        if not entries or isinstance(entries, _Stream):
            raise NotLowered
        return entries[place]

    return end


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "join": join,
    "batch": _batch,
    "map": _map,
    "first": _end(0),
    "last": _end(-1),
    "list": list,
}
_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": lambda a, b: a // b if b else _refuse(),
    "%": lambda a, b: a % b if b else _refuse(),
}
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}


def _refuse() -> int:
    raise NotLowered
