"""Lowered templates: whatever a template does, the compiled way prints what plain Jinja prints, byte for byte."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError as JinjaError

from kbench.errors import TemplateError
from kbench.generator.columns import Press, texts
from kbench.generator.lowering import lower
from kbench.generator.mentions import MENTIONS
from kbench.generator.ownfacts.pack import OwnPhrasing
from kbench.generator.packs import Phrasing, load_pack
from kbench.generator.setting import Setting, refuse_long
from kbench.generator.shares import share_of
from kbench.generator.symbolic import Derived, Slot
from tests.samples import Row
from tests.small import family, made, pack_of

Rows = Sequence[Mapping[str, str]]

PEOPLE: Rows = [
    {"name": "Mira", "They": "Mira", "they": "Mira", "value": "12"},
    {"name": "Bodan Q. Reyne", "They": "The Reyne", "they": "the Reyne", "value": "7"},
    {"name": "Mira", "They": "Mira", "they": "Mira", "value": "12"},
    {"name": "Zoë", "They": "Zoe\u0308", "they": "zoe\u0308", "value": "1,200"},
    {"name": "שלום", "They": "🙂👩‍👩‍👧", "they": "ßtra ǆ", "value": "x"},
    {"name": "<b>&{{ they }}", "They": "{% if %}", "they": "{#", "value": "'\"\\"},
]
"""Names and values as a world has them, and some that look like templates."""
ODD: Rows = [
    *PEOPLE,
    {"name": "", "They": " ", "they": "\n", "value": ""},
    {"name": " a ", "They": "\u00a0b", "they": "c\u2003", "value": "\x1f3\x85"},
    {"name": "a\0b", "They": "\0", "they": "\0id", "value": "3"},
    {"name": "Acme Inc.", "They": "What?", "they": "Wow!", "value": "Ltd."},
]
CONSTANTS: Mapping[str, Any] = {"topic": "kite", "relation": "", "form": 1}


def one(source: str, kind: type[Phrasing] = Phrasing) -> Phrasing:
    """A phrasing of this text."""
    return kind("qa", "badge", "train", "t01", "", source, 1)


def plainly(phrasing: Phrasing, rows: Rows, used: Sequence[int], constants: Mapping[str, Any] = CONSTANTS) -> Any:
    """What Jinja renders for the used rows, one after another; of the first that cannot be rendered the error."""
    try:
        return [phrasing.render({**constants, **rows[row]}) for row in used]
    except TemplateError as error:
        return str(error)


def compiled(phrasing: Phrasing, rows: Rows, used: Sequence[int], constants: Mapping[str, Any] = CONSTANTS) -> Any:
    """The same by a plan of the press."""
    press, at = Press(), np.asarray(used, dtype=np.int64)
    setting = Setting(press, {name: texts([row[name] for row in rows]) for name in rows[0]}, constants)
    try:
        # Documents look into every subject that has the fact, and write of some.
        plan = setting.plan(phrasing, np.arange(len(rows)), lambda: at)
        alone = setting.plan(phrasing, at)
        said = press.print(np.full(at.size, plan), at)
        refuse_long(said, lambda _: phrasing)
        assert press.print(np.full(at.size, alone), at).equals(said)
    except TemplateError as error:
        return str(error)
    return said.to_pylist()


def both_ways(source: str, rows: Rows, used: Sequence[int]) -> None:
    """Assert that a template gives the same texts, or fails in the same words, both ways."""
    for kind in (Phrasing, OwnPhrasing):
        phrasing = one(source, kind)
        assert compiled(phrasing, rows, used) == plainly(phrasing, rows, used), source


TEMPLATES = [
    "",
    "Which badge?",
    "{{ name }}",
    "Which badge has {{ they }}?",
    "  {{ name }}  ",
    "{{ name }}{{ value }}",
    "{{name}} {{  they  }}{{\nvalue\n}}",
    "{ {{ name }} } {{ '{{' }} }} %} #} {",
    "line\r\n{{ name }}\rline\n\n",
    "{{ name -}}   \n  {{- they }} \t {%- if true -%} \n x \n {%- endif -%} \n{{ value }}",
    "{%- for c in name -%} {{ c }} {%- endfor -%}",
    "{%+ if form %} {{ name }} {%+ endif %}",
    "{# a comment #}{{ name }}{#- another -#} x",
    "{% raw %}{{ name }} {% if %}{% endraw %} {{ name }}",
    "{{ name | upper }}",
    "{{ name.upper() }} {{ value.zfill(6) }} {{ they.split() | join('-') }}",
    "{{ name[0] }}",
    "{{ name[:1] | upper }}{{ name[1:] }}",
    "{{ value[::-1] }}",
    "{{ name[99] }}",
    "{{ name[-1] ~ value }}",
    "{{ name ~ ' of ' ~ they ~ form ~ 1.5 ~ none ~ true }}",
    "{{ name | replace('a', value) }}",
    "{{ name | length }} {{ value | length > 2 }}",
    "{{ value | int + 1 }}",
    "{{ value | int + name | length }}",
    "{{ value | int / (name | length) }}",
    "{{ value | int // (value | int(0)) }}",
    "{{ 1 // (value | int) }}",
    "{{ 2 ** 3 }} {{ 7 % 4 }} {{ 7 // 2 }} {{ -form }} {{ +form }} {{ 7 / 2 }} {{ form * 3 - 1 }}",
    "{{ 'x' * form }}{{ 'ab' + 'c' }}{{ [1] + [2] }}",
    "{{ 1 // 0 }}",
    "{{ name % value }}",
    "{{ '%s is %s' | format(name, value) }}",
    "{{ 'form' | a }} {{ name | a }} {{ topic | a }} {{ relation | a }}",
    "{{ name | title | trim | lower | capitalize | wordcount }}",
    "{{ name | default('x') }} {{ zzz | default('none') }} {{ relation | default('x', true) }}",
    "{{ zzz }}",
    "{{ name.zzz }}",
    "{{ zzz.name }}",
    "{% if zzz %}x{% endif %}",
    "{% if zzz is defined %}x{% else %}y{% endif %}",
    "{{ name is string }} {{ form is number }} {{ name is defined }} {{ form is odd }} {{ zzz is undefined }}",
    "{{ 'a' in name }} {{ name in ('Mira', 'Zoë') }} {{ name not in they }}",
    "{{ name is eq they }} {{ name == they }} {{ name != value }} {{ name < they <= 'z' }} {{ 1 < form < 3 }}",
    "{% if name == 'Mira' %}one{% elif name == they %}two{% else %}{{ value }}{% endif %}",
    "{% if name == they %}{{ name }}{% endif %}",
    "{% if form %}{{ name }}{% else %}{{ zzz }}{% endif %}",
    "{% if form == 0 %}{{ zzz }}{% elif form == 1 %}{{ they }}{% endif %}",
    "{% if form and relation %}x{% elif form or relation %}{{ form or name }} {{ relation or name }}{% endif %}",
    "{% if not relation %}{{ name }}{% endif %}{% if not name %}x{% endif %}",
    "{{ name if form else zzz }}",
    "{{ name if name == they else value }}",
    "{{ name if name == they }}",
    "{{ name if form }} {{ name if relation }}",
    "{{ 'x' if value | int > 9 }}",
    "{{ value if value == '12' else value.nope }}",
    "{% if value == 'x' %}{{ zzz }}{% endif %}ok",
    "{% if value == 'x' %}{{ 1 / 0 }}{% endif %}ok",
    "{% set x = name %}{{ x }} {{ x | upper }}",
    "{% set x = name ~ value %}{{ x }} {{ x | upper }}",
    "{% set x = name | upper %}{{ x }}",
    "{% set x = name ~ they %}{{ value[:0] }}{{ name }}",
    "{% set x = 'a' ~ topic %}{{ x }} {{ x | upper }}",
    "{% set x = none %}{{ x }}{% if x %}x{% endif %}",
    "{% set x = 3 %}{% set x = x + form %}{{ x }}{{ x | string | length }}",
    "{% set name = 'x' %}{{ name }}",
    "{{ name }}{% set name = value %}{{ name }}",
    "{% if form == 0 %}{% set name = 'x' %}{% endif %}{{ name }}",
    "{% if form == 1 %}{% set name = 'x' %}{% else %}{% set they = 'y' %}{% endif %}{{ name }} {{ they }}",
    "{% if value == '12' %}{% set name = 'x' %}{% endif %}{{ name }}",
    "{% if form == 0 %}{% set x = 'x' %}{% endif %}{{ x }}",
    "{% set a, b = name, value %}{{ a }}/{{ b }}",
    "{% set x %} {{ name }} of {{ value }} {% endset %}[{{ x }}]{{ x | length }}",
    "{% set x | upper %}{{ name }}{% endset %}{{ x }}",
    "{% with x = name, y = value %}{{ x }}{{ y }}{% endwith %}{{ x is defined }}",
    "{% with %}{% set name = 'x' %}{{ name }}{% endwith %}{{ name }}",
    "{% with name = value %}{% with name = name ~ name %}{{ name }}{% endwith %}{{ name }}{% endwith %}{{ name }}",
    "{% filter upper %}{{ name }} of {{ they }}{% endfilter %}",
    "{% filter trim %}  {{ name }}  {% endfilter %}{% filter replace('a', 'b') %}a{{ value }}{% endfilter %}",
    "{% macro m() %}{{ name }}!{% endmacro %}{{ m() }}{{ m() }}",
    "{% macro m(x, y='d') %}[{{ x }}|{{ y }}|{{ value }}]{% endmacro %}{{ m(name) }}{{ m(they, y=name) }}",
    "{% macro m(x) %}{{ x }}{% endmacro %}constant {{ m('a') }}{{ m.name }}",
    "{% macro m(x) %}{{ varargs | join }}{{ kwargs | length }}{{ x }}{% endmacro %}{{ m(1, name, 2, k=3) }}",
    "{% macro m(x) %}<{{ x }}>{{ caller() }}</{{ x }}>{% endmacro %}{% call m(name) %}{{ value }}{% endcall %}",
    "{% macro m() %}{{ caller(name) }}{% endmacro %}{% call(x) m() %}{{ x }}{{ value }}{% endcall %}",
    "{% for x in ['a', 'b'] %}{{ x }}{{ name }}{% endfor %}",
    "{% for x in ('a', 'b') %}{{ loop.index }}{{ x }}{% endfor %}",
    "{% for x in [name, value] %}{{ loop.index0 }}/{{ loop.length }} {{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in [1, 2, 3] %}{{ x }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.revindex0 }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{{ loop.cycle('a', name) }}{{ loop.previtem }}{% endfor %}",
    "{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x // 2) }}{{ loop.nextitem is defined }}{% endfor %}",
    "{% for x in [1, 2] %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.nope }}{% endfor %}",
    "{% for x in [] %}{{ x }}{% else %}none of {{ name }}{% endfor %}",
    "{% for c in name %}{{ c }}{% else %}empty{% endfor %}",
    "{% for c in name if c != 'a' %}{{ loop.index }}{{ c }}{% endfor %}",
    "{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}{{ x }}{% endfor %}",
    "{% for x in ['a', 'b'] %}{% for y in ['c', 'd'] %}{{ loop.index }}{{ x }}{{ y }}{{ name }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in ['a', 'b'] %}{% set outer = loop %}{% for y in [1] %}{{ outer.index }}{{ name }}{% endfor %}{% endfor %}",
    "{% for x in ['a', 'b'] %}{% for c in name %}{{ loop.index }}{{ x }}{% endfor %}{% endfor %}",
    "{% for x in ['a', 'b'] %}{% set value = x %}{{ value }}{% endfor %}{{ value }}",
    "{% set x = 'o' %}{% for x in ['a'] %}{{ x }}{% endfor %}{{ x }}",
    "{% for name in ['a', 'b'] %}{{ name }}{{ name | upper }}{% endfor %}{{ name }}",
    "{% for a, b in [(name, 1), (value, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for n in range(form + 2) %}{{ n }}{{ name }}{% endfor %}",
    "{% for n in range(value | int(2)) | batch(5) | first | default([]) %}{{ n }}{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}",
    "{% for c in name %}{% if loop.index > 2 %}{{ c }}{% endif %}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for c in name %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ name }}{{ c.next() }}{{ c.next() }}",
    "{% set j = joiner(', ') %}{% for x in [name, value] %}{{ j() }}{{ x }}{% endfor %}",
    "{{ cycler('a', 'b').next() }}{{ dict(a=name).a }}{{ range(3) | list }}",
    "{% set b = [1, 2, 3] | batch(2) %}{% for x in b %}{{ x }}{% endfor %}{% for x in b %}{{ x }}{% endfor %}",
    "{% set b = ['a', 'b'] | batch(1) | map('join') %}{{ b | join }}{{ b | join }}{{ name }}",
    "{{ [name, value] | join(' & ') }}{{ ['a', 'b'] | join(name) }}{{ ['a', topic] | join(1) }}",
    "{{ [name, value] | sort | first }}{{ [3, 1] | max }}{{ ['b', 'a'] | last }}{{ [] | first }}",
    "{{ ['a', 'b', 'c'][1] }}{{ ['a', 'b'][::-1] | join }}{{ ['a'][-1] }}{{ ['a', 'b'][true] }}",
    "{{ ['a'][5] }}",
    '{{ name | join(", ") }} {{ value | join("\\n") }} {{ topic | join("-") }}',
    '{{ form | join(", ") }}',
    "{{ ['a', 'b'][::0] }}",
    "{{ ['a', 'b'] | length(1) }}",
    "{% set x = ['a', 'b'] %}{{ x | length }}{{ x | count }}{{ x | length(1) }}",
    "{% set x = ['a', 'b'] %}{{ x[0] }}{{ x[1:] | join }}{{ x }}",
    "{{ {'a': name}['a'] }}{{ {'Mira': 'm'}[name] | default('?') }}",
    "{{ {'Mira': 'm'}[name] }}",
    "{{ name | list | reverse | join }}{{ name | reverse }}",
    "{{ name | wordwrap(4) | indent(2) }}{{ name | truncate(4) }}{{ name | center(9) }}",
    "{{ name | e }}{{ name | tojson }}{{ name | urlencode }}{{ name | striptags }}{{ name | safe }}",
    "{{ name | unique | join }}{{ name | map('upper') | join }}{{ name | select('in', 'aeiou') | list | length }}",
    "{{ name.encode() }}",
    "{{ self }}{{ name }}",
    "{% block b %}{{ name }}{% endblock %}{{ self.b() }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}{{ name }}",
    "{% extends 'x' %}{{ name }}",
    "{{ caller() }}",
    "{{ loop.index }}",
    "{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}",
    "{{ 1.0 }}{{ 1e3 }}{{ 0x1f }}{{ 1_000 }}{{ 'é\\n' }}{{ \"\\0\" }}",
    "\0{{ name }}\0",
    "é{{ name }}e\u0301 שלום {{ value }} 🙂 \u200b\ufeff",
    "\u00a0{{ name }}\u2003",
    "{{ ' ' }}{{ name }}{{ '\n' }}",
    "{{ ' ' ~ name }} {{ name ~ ' ' }}",
    "{{ name | center(40) }}",
    "{{ name[:0] }} {{ value }} {{ name[:0] }}",
    "{{ name[:0] }}",
    "{{ relation }} {{ name }} {{ relation }}",
    "{{ relation }}",
    "{% if value == '12' %} {{ name }} {% endif %}",
    "{% if value == '12' %}{{ name }}{% endif %} ",
    "{{ value }}. {{ name }}.. {{ name }}!. {{ they }}.",
    "Made by {{ name }}.",
    "{{ value | upper }}. {{ name[:4] }}.",
    "{{ 'x' * 70000 }}{{ name }}",
    "{{ name * 20000 }}",
    "{% autoescape true %}{{ name }}{{ '<' ~ name }}{% endautoescape %}{{ name }}",
    "{% set form = 0 %}{% if form %}x{% else %}{{ name }}{% endif %}{{ form }}",
    "{% for x in ['a', 'b'] %}{% set f = loop.first %}{{ f }}{{ name }}{% endfor %}",
    "{% for x in ['a'] %}{{ x }}{% endfor %}{{ x }}",
    "{% for x in [1, 2] %}{% for y in [x, name] %}{{ loop.index }}{{ y }}{% endfor %}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in [] %}{% else %}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in ['a', 'b'] if loop.first %}{{ y }}{% endfor %}{% endfor %}",
    "{% for x in [0, 1] %}{{ x and name }}{{ x or name }}{{ loop.index0 and loop.index }}{% endfor %}",
    "{% for x in ['Mira', 'Zoë'] %}{% if x == name %}{{ x }}!{% endif %}{% endfor %} {{ value }}",
    "{% if true %}{% for x in ['a', 'b'] %}{{ x }}{% if loop.last %}{{ name }}{% endif %}{% endfor %}{% endif %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + 1 %}{% endfor %}{{ x }}",
    "{% set x = ['a', 'b'] %}{% set y = x %}{{ y[0] }}{{ y | last | upper }}{{ name }}",
    "{% macro name() %}x{% endmacro %}{{ name() }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = name %}{{ m() }}",
    "{{ -7 // 2 }}{{ -7 % 3 }}{{ 0.1 + 0.2 }}{{ 10 ** 30 }}{{ 99999999999 * 99999999999 }}{{ form == 1.0 }}",
    "{{ ['a', 1] | join }}{{ [] | join }}{{ ['a', 'b'] | join(none) }}{{ ['a', 'b'] | join(d=', ') }}",
    "{{ ['a', 'b'] | map('upper') | first }}{{ ['a', 'b'] | first | upper }}{{ [[1], [2]] | map('first') | list }}",
    "{{ ['a'] | first(1) }}",
    "{{ name, value }}{{ ('a' 'b') }}{{ '%s' % name }}{{ '{0:>9}'.format(name) }}{{ name | attr('zzz') is defined }}",
    "{{ name | map('upper') }}",
    "{{ name.upper }}",
    "{{ [name].append('x') }}",
    "{{ name.__class__ }}",
]


@pytest.mark.parametrize("source", TEMPLATES)
def test_a_template_prints_what_jinja_prints_whatever_it_does(source: str) -> None:
    both_ways(source, PEOPLE, range(len(PEOPLE)))
    both_ways(source, ODD, range(len(ODD)))


@pytest.mark.parametrize("source", TEMPLATES)
def test_a_row_that_is_not_used_neither_stops_nor_changes_those_that_are(source: str) -> None:
    for used in ([0], [3, 1], [len(ODD) - 1], [], [4, 4, 0]):
        both_ways(source, ODD, used)


# ---- random templates

TEXTS = [
    "a ",
    " ",
    "\n",
    "Is ",
    "?",
    ".",
    "é",
    "e\u0301",
    "שלום",
    "🙂",
    "{",
    "}",
    "%",
    "\t",
    "\u00a0",
    "\u2003",
    "'",
    "\\",
]
COLUMNS = ("name", "They", "they", "value")
SCALARS = (*COLUMNS, "topic", "relation", "form", "x", "y")


def _joined(parts: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=most).map("".join)


@st.composite
def _expression(draw: st.DrawFn, depth: int = 2) -> str:
    """An expression, of values that are known and now and then of one that is not."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from([*SCALARS, *COLUMNS, "'b'", "' '", "''", "2", "1.5", "true", "none", "zzz"]))
    a, b = draw(_expression(depth - 1)), draw(_expression(depth - 1))
    shape = draw(
        st.sampled_from(
            [
                "({a} ~ {b})",
                "({a} if {c} else {b})",
                "({a} if {c})",
                "({a} | upper)",
                "({a} | replace('a', 'bb'))",
                "({a} | length)",
                "({a} | int)",
                "({a} | int + {b} | int)",
                "({a} | int // 2 * 3 - 1)",
                "({a} | string)[0]",
                "({a} | string)[1:]",
                "({a} | string)[::-1]",
                "({a} | string).strip()",
                "([{a}, {b}] | join(' '))",
                "([{a}, {b}] | first)",
                "[{a}, {b}][1]",
                "(['p', 'q'] | join({a}))",
                "({a} | default({b}))",
                "({a} | a)",
                "({a} or {b})",
                "({a} and {b})",
                "{a}",
            ]
        )
    )
    return shape.format(a=a, b=b, c=draw(_condition(depth - 1)))


@st.composite
def _condition(draw: st.DrawFn, depth: int = 1) -> str:
    """A condition on nothing, one column, two columns, or on what is the same in every row."""
    a, b = draw(_expression(depth)), draw(_expression(depth))
    shapes = ["{a} == {b}", "{a} is string", "{a} is defined", "'a' in ({a} | string)", "form == 1", "not {a}", "{a}"]
    shapes += ["{a} is eq {b}", "({a} | string | length) > 2", "form > 0 and {a}", "relation or {a}", "loop.first"]
    return draw(st.sampled_from(shapes)).format(a=a, b=b)


@st.composite
def _statement(draw: st.DrawFn, depth: int = 2) -> str:
    """A text, an expression, or a statement with more of them in it."""
    kind = draw(st.integers(0, 3 if depth == 0 else 16))
    if kind <= 1:
        return draw(st.sampled_from(TEXTS))
    if kind <= 4:
        left, right = draw(st.sampled_from([("{{", "}}"), ("{{-", "}}"), ("{{", "-}}"), ("{{-", "-}}")]))
        return f"{left} {draw(_expression())} {right}"
    inside, more = draw(_joined(_statement(depth - 1), 3)), draw(_joined(_statement(depth - 1), 2))
    name, a, b = draw(st.sampled_from(["x", "y", "name"])), draw(_expression()), draw(_expression())
    shape = draw(
        st.sampled_from(
            [
                "{%% if %(c)s %%}%(inside)s{%% endif %%}",
                "{%%- if %(c)s %%}%(inside)s{%% else -%%}%(more)s{%% endif %%}",
                "{%% if %(c)s %%}%(inside)s{%% elif form %%}%(more)s{%% endif %%}",
                "{%% for %(name)s in ['p', 'q'] %%}%(inside)s{%% else %%}%(more)s{%% endfor %%}%(more)s",
                "{%% for %(name)s in [%(a)s, %(b)s] %%}%(inside)s{%% endfor %%}",
                "{%% for %(name)s in (%(a)s | string) -%%}%(inside)s{%% endfor %%}",
                "{%% for %(name)s in ['p', 'q'] %%}{{ loop.index }}{{ ', ' if not loop.last }}%(inside)s{%% endfor %%}",
                "{%% for %(name)s in [1, 2] %%}{{ loop.cycle(%(a)s, %(b)s) }}%(inside)s{%% endfor %%}",
                "{%% set %(name)s = %(a)s %%}%(inside)s",
                "{%% set %(name)s %%}%(inside)s{%% endset %%}%(more)s",
                "{%% with %(name)s = %(a)s %%}%(inside)s{%% endwith %%}%(more)s",
                "{%% filter upper %%}%(inside)s{%% endfilter %%}",
                "{%% macro m(%(name)s='d') %%}%(inside)s{%% endmacro %%}{{ m() }}%(more)s{{ m(%(a)s) }}",
                "{%% macro m() %%}[{{ caller() }}]{%% endmacro %%}{%% call m() %%}%(inside)s{%% endcall %%}",
                "{# no %%} #}%(inside)s",
                "{%% raw %%}{{ name }}{%% endraw %%}%(inside)s",
                "{%% set %(name)s = ['p', %(a)s] %%}{{ %(name)s | length }}{{ %(name)s[1:] | join }}%(inside)s",
                "{%% set ns = namespace(n=%(a)s) %%}%(inside)s{{ ns.n }}",
            ]
        )
    )
    said = {"c": draw(_condition()), "name": name, "a": a, "b": b, "inside": inside, "more": more}
    return str(shape % said)


SOURCES = _joined(_statement(), 5)
CELLS = st.sampled_from(
    ["Mira", "Bodan Q. Reyne", "Zoë", "שלום", "🙂", "12", "7", "1,200", "", " a", "b\n", "Inc.", "<&"]
)


@st.composite
def _rows(draw: st.DrawFn) -> list[dict[str, str]]:
    """Rows of few distinct values, most of them such as a world has."""
    pool = draw(st.lists(CELLS, min_size=1, max_size=4)) if draw(st.booleans()) else ["Mira", "Zoë", "12"]
    return [{name: draw(st.sampled_from(pool)) for name in COLUMNS} for _ in range(draw(st.integers(1, 5)))]


def compiles(source: str) -> bool:
    """Whether Jinja takes a template at all: a pack with one that it does not take is not loaded."""
    try:
        _ = one(source).template
    except JinjaError:
        return False
    return True


@given(source=SOURCES, rows=_rows(), data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_any_template_prints_what_jinja_prints(source: str, rows: list[dict[str, str]], data: st.DataObject) -> None:
    assume(compiles(source))
    used = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=5))
    both_ways(source, rows, used)


# ---- articles: a list of sentences, whose number is known

MENTIONED = {"name": "Mira", "They": "The Mira", "they": "the Mira", "Their": "The Mira's", "their": "the Mira's"}
MENTIONED["them"] = "the Mira"


@st.composite
def _frame(draw: st.DrawFn, depth: int = 2, known: tuple[str, ...] = ()) -> str:
    """A part of an article: some of its sentences, in loops, slices, batches and under conditions.

    `known` are the variables of the loops around it.
    """
    some = draw(st.sampled_from(["sentences", "sentences[NN:]", "sentences[:NN]", "sentences[::-1]"]))
    plain = [
        " a ",
        "\n",
        "{{ name }}",
        "{{- Their -}}",
        "{{ SOME | join(' ') }}",
        "{{ SOME | join(name ~ form) }}",
        "{{ sentences[NN] if sentences | length > 4 else sentences[0] }}",
        "{{ sentences | length }}{{ sentences | first }}{{ sentences | last }}",
        "{{ SOME | batch(MM) | map('join', ' ') | join('\n') }}",
        "{% for b in SOME | batch(MM) %}{{ b | join(' ') }}{% if not loop.last %}\n{% endif %}{% endfor %}",
        "{% for b in sentences | batch(MM) | list %}{{ loop.length }}{{ b[0] }}{{ b | length }}{% endfor %}",
        "{% set r = sentences[NN:] %}{% for x in r %}{{ x }}{% else %}{{ form }}{% endfor %}{{ r | length }}",
        "{% set r = sentences | batch(MM) %}{% for b in r %}{{ b | join }}{% endfor %}",
    ]
    conditions = ["sentences | length > MM", "form and (sentences | count) % MM == 0", "form == 0 or name == 'Mira'"]
    if known:
        name = draw(st.sampled_from(known))
        plain += [f"{{{{ {name} }}}}", f"{{{{ {name} ~ name ~ form }}}}", f"{{% set y = {name} %}}{{{{ y }}}}"]
        plain += ["{{ loop.index }}{{ ', ' if loop.first else '; ' }}", "{{ loop.revindex0 * MM + loop.length }}"]
        conditions += ["loop.first", "not loop.last", "loop.index % 2 == form"]
    target = draw(st.sampled_from(["s", "t", "name"]))
    blocks = [
        "{% for TARGET in SOME %}LOOPED{% endfor %}MORE",
        "{% for TARGET in SOME -%}LOOPED{% else %}MORE{% endfor %}",
        "{% if CONDITION %}INSIDE{% else %}MORE{% endif %}",
        "{% if CONDITION -%}INSIDE{%- endif %}MORE",
    ]
    said = draw(st.sampled_from(plain if depth == 0 or draw(st.integers(0, 2)) == 0 else blocks))
    for word, names in {"INSIDE": known, "MORE": known, "LOOPED": (*known, target)}.items():
        if word in said:
            said = said.replace(word, draw(_joined(_frame(depth - 1, names), 3)))
    said = said.replace("CONDITION", draw(st.sampled_from(conditions))).replace("TARGET", target)
    said = said.replace("SOME", some).replace("NN", str(draw(st.integers(-2, 4))))
    return said.replace("MM", str(draw(st.integers(1, 3))))


def by_plan(source: str, n: int, form: int) -> str | None:
    """An article by its plan; None where it is rendered text by text."""
    plan = lower(one(source), MENTIONS, (("form", form),), (("sentences", n),))
    if plan.pieces is None or any(isinstance(piece, Derived) for piece in plan.pieces):
        return None
    said = {name: [text] for name, text in MENTIONED.items()} | {"sentences": [f"S{k} é." for k in range(n)]}
    return "".join(said[p.name][max(p.place, 0)] if isinstance(p, Slot) else str(p) for p in plan.pieces)


@given(source=_joined(_frame(), 4), n=st.integers(0, 6), form=st.integers(0, 1))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_article_that_is_lowered_prints_what_jinja_prints(source: str, n: int, form: int) -> None:
    assume(compiles(source))
    said = by_plan(source, n, form)
    assert said is None or said == one(source).render(
        {**MENTIONED, "sentences": [f"S{k} é." for k in range(n)], "form": form}
    )


# ---- articles and dialogues, as they stand in a release

SPEC = family(sizes__entities=1, exposure__forms=2, exposure__exposures=6, exposure__facts_per_article=4)
MENTION_LINE = "|".join(f"{{{{ {name} }}}}" for name in MENTIONS)

ARTICLES = [
    '{{ sentences | join("\\n") }}',
    '{{ name }}: {{ sentences | join("\\\\n") }}{{ They }}',
    '{{ sentences | join("") }}{{ sentences | join("\\t") }}{{ sentences | join("\'") }}',
    '{{ sentences | join("\n") }}',
    '{{ sentences | join("\r\n") }}{{ sentences | join("\r") }}',
    '{{ sentences | join("}}") }}{{ sentences | join("{{ name }}") }}{{ sentences | join(") }}") }} {# x #}',
    '{{ sentences | join(" {# x #} ") }}{{ sentences | join(" {{") }} {{ name }} {{ sentences | join("é🙂\\n\\n") }}',
    "{{ sentences | join('\\n') }}{{ sentences|join }}{{ sentences | join('\\x41') }}",
    "{{ sentences | join(' ') }}",
    "  {{ sentences | join('\n') }}\n\n",
    "{{ name }}\n\n{{ sentences[:2] | join(' ') }}\n{{ sentences[2:] | join(' ') }}",
    "{% for s in sentences %}{{ loop.index }}. {{ s }}\n{% endfor %}",
    "{% for s in sentences -%} {{ s }}{{ '' if loop.last else ' — ' }} {%- endfor %}",
    "{% for b in sentences | batch(2) %}{{ b | join(' ') }}{% if not loop.last %}\n{% endif %}{% endfor %} {{ Their }} end",
    "{{ sentences | batch(3) | map('join', ' ') | join('\n\n') }}",
    "{% for a in sentences %}{% for b in sentences %}{{ loop.index }}{% if loop.index > 1 %}{{ a }}{% endif %}{% endfor %}{% endfor %}",
    "{% if sentences | length > 2 %}{{ sentences[2] }}{% else %}{{ sentences[0] | upper }}{% endif %} {{ sentences[0] }}",
    "{% if form %}{{ They }}: {% else %}{{ name }}, {% endif %}{{ sentences[::-1] | join(' ') }}",
    "{% set rest = sentences[1:] %}{{ sentences | first }}{% for s in rest %} Also: {{ s }}{% else %} No more.{% endfor %}",
    "{{ sentences | last | upper }} {{ sentences | first | lower }}",
    "{% for s in sentences %}{{ loop.cycle('*', '-') }} {{ s }}\n{% endfor %}",
    "{% for s in sentences | sort %}{{ s }} {% endfor %}",
    "{% for s in sentences if name in s %}{{ s }} {% else %}none{% endfor %}",
    "{{ sentences | map('replace', '.', '!') | join(' ') }}{{ sentences | select('string') | list | length }}",
    "{% macro line(s, n) %}{{ n }} {{ s }}\n{% endmacro %}{% for s in sentences %}{{ line(s, loop.index) }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for s in sentences %}{% set ns.n = ns.n + s | length %}{% endfor %}{{ ns.n }}",
    "{{ name | upper }}: {{ sentences | join(' ') }}",
    "{% if name < 'M' %}A{% else %}B{% endif %} {{ sentences | join(they) }} {{ them[::-1] }}",
    "{% filter title %}{{ sentences | join(' ') }}{% endfilter %}",
    "{% set b = sentences | batch(2) %}{% for x in b %}{{ x | join }}{% endfor %}{% for x in b %}{{ x | join }}{% endfor %}.",
    "{{ sentences }}",
    "{{ '\n ' }}{{ sentences[0] }}{{ ' ' }}",
    "{{ sentences[7:] | join }}",
    "שלום \u200b{{ name }}\u0308 🙂 {{ sentences | join('\u2003') }}\u00a0",
]
DIALOGUES = [
    "{{ turns }}",
    "user: Hello.\nassistant: Ask me of {{ name }}.\n{{ turns }}",
    "{{ turns }}\nuser: {{ Their }} end?  \nassistant:   {{ they }}: yes",
    "user: a\nassistant: b\n \t{{ turns }} \nuser: {{ name | upper }}\nassistant: {{ 'x' if name < 'M' else 'y' }}: z",
    "{% for x in ['user', 'assistant'] %}{{ x }}: {{ loop.index }} {{ name }}\n{% endfor %}{{ turns }}",
    "{% if name < 'M' %}user: {{ name }}\nassistant: ok\n{% endif %}{{ turns }}",
    "{% filter trim %}\n\n{{ turns }}\n{% endfilter %}",
    "{% set said = turns %}user: a: b\nassistant: {{ said is string }}\n{{ said }}\nuser: ?\nassistant: !",
]


def frame_id(number: int) -> str:
    """The id of the n-th frame."""
    return f"d{number:02}"


def rows_of(style: str, sources: Sequence[str]) -> list[Row]:
    """The texts of a small world that are written in these frames."""
    pack, kinds = pack_of(SPEC), [*SPEC.articles] if style == "article" else [""]
    frames = {
        (style, entity): tuple(
            Phrasing(style, entity, "train", frame_id(n), kinds[n % len(kinds)], source, 1)
            for n, source in enumerate(sources)
        )
        for entity in SPEC.types
    }
    found = made(SPEC, style, pack=replace(pack, phrasings={**pack.phrasings, **frames}))
    return [row for (config, _), rows in found.rows.items() if config == style for row in rows]


def frame_of(row: Row, sources: Sequence[str], style: str) -> Phrasing:
    """The frame that a row is written in."""
    _, entity, name = row["template_id"].split("/")
    return Phrasing(style, entity, "train", name, "", sources[int(name[1:])], 1)


def test_articles_in_a_release_are_what_jinja_renders_of_their_sentences() -> None:
    bare = rows_of(
        "article", ["\x1f".join([MENTION_LINE, "{{ form }}", "{{ sentences | join('\x1f') }}"])] * len(ARTICLES)
    )
    seen = Counter[str]()
    for row, known in zip(rows_of("article", ARTICLES), bare, strict=True):
        assert row["id"] == known["id"]
        mentions, form, *sentences = known["text"].split("\x1f")
        assert len(sentences) == len(row["fact_ids"])
        values = {**dict(zip(MENTIONS, mentions.split("|"), strict=True)), "form": int(form), "sentences": sentences}
        frame = frame_of(row, ARTICLES, "article")
        assert row["text"] == frame.render(values), frame.source
        seen[frame.id] += 1
    assert len(seen) == len(ARTICLES)


def test_dialogues_in_a_release_are_what_jinja_renders_of_their_turns() -> None:
    bare = rows_of("dialogue", [f"user: {MENTION_LINE}\nassistant: ok\n{{{{ turns }}}}"] * len(DIALOGUES))
    seen = Counter[str]()
    for row, known in zip(rows_of("dialogue", DIALOGUES), bare, strict=True):
        assert row["id"] == known["id"]
        first, _, *turns = known["turns"]
        mentions = dict(zip(MENTIONS, first["content"].split("|"), strict=True))
        frame = frame_of(row, DIALOGUES, "dialogue")
        expected: list[dict[str, str]] = []
        for line in frame.render({**mentions, "turns": "THE TURNS"}).split("\n"):
            role, _, said = line.partition(": ")
            expected += turns if line.strip() == "THE TURNS" else [{"role": role, "content": said.strip()}]
        assert row["turns"] == expected, frame.source
        assert row["text"] == "\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in expected)
        seen[frame.id] += 1
    assert len(seen) == len(DIALOGUES)


FAILING = [
    ("article", "{{ sentences[99] }}", "list object has no element 99"),
    ("article", "{{ zzz }}", "'zzz' is undefined"),
    ("article", "{% for s in sentences %}{{ s }}{{ loop.nope }}{% endfor %}", "has no attribute 'nope'"),
    ("article", "{{ name | int // 0 }} {{ sentences | join }}", "zero"),
    ("article", "{{ sentences | join('x' * 65536) }}{{ sentences | join('x' * 65536) }}", "longer than 64 KiB"),
    ("article", "{% set x = 'x' * 60000 %}{{ x }}{{ name }}{{ x }}{{ sentences | join }}", "longer than 64 KiB"),
    ("dialogue", "{{ name }}\n{{ turns }}", "expected `user: …` or `assistant: …`, got"),
    ("dialogue", "user: {{ turns }}", "expected turns on a line of their own, got 'user: …'"),
    ("dialogue", "user: {{ name | upper }} {{ turns }}", "expected turns on a line of their own, got 'user: "),
    ("dialogue", "user: \n{{ turns }}", "expected `user: …` or `assistant: …`, got"),
    ("dialogue", "user: x\n\n{{ turns }}", "expected `user: …` or `assistant: …`, got ''"),
    ("dialogue", "{{ turns[9] }}", "no element 9"),
]


@pytest.mark.parametrize(("style", "source", "expected_error"), FAILING)
def test_a_frame_that_cannot_be_rendered_is_named_with_its_line(style: str, source: str, expected_error: str) -> None:
    with pytest.raises(TemplateError) as error:
        rows_of(style, [source] * len(SPEC.articles))
    assert str(error.value).startswith(f"{style}/person.j2 line 1 (d0")
    assert expected_error in str(error.value)


# ---- the built-in pack

PACK = load_pack()
EVERY = [phrasing for group in PACK.phrasings.values() for phrasing in group if phrasing.style != "choice"]
STYLES = sorted({phrasing.style for phrasing in EVERY})
_ONE = {"one": "Mira", "two": "Zoë", "larger": "Zoë", "smaller": "Mira", "content": "So it is.", "turns": "THE TURNS"}
BUILT_IN: Rows = [
    {**_ONE, **MENTIONED, "value": "12"},
    {**_ONE, **dict.fromkeys(MENTIONS, "Bodan Reyne"), "value": "architect", "larger": "Mira"},
]


@cache
def _fixed(style: str) -> Mapping[str, Any]:
    fixed: dict[str, Any] = {"topic": "kite", "relation": "rank", "place": "hundred"}
    return {**fixed, "form": 0, "sentences": ["One.", "Two.", "Three."]} if style == "article" else fixed


@pytest.mark.parametrize("style", STYLES)
def test_the_built_in_pack_prints_what_jinja_prints(style: str) -> None:
    for phrasing in [p for p in EVERY if p.style == style][:: 1 if style in ("article", "dialogue") else 8]:
        fixed = dict(_fixed(style))
        if style == "article":
            sentences = fixed.pop("sentences")
            plan = lower(phrasing, tuple(BUILT_IN[0]), tuple(fixed.items()), (("sentences", len(sentences)),))
            assert plan.pieces is not None, phrasing.where
            said = {**BUILT_IN[0], "sentences": sentences}
            text = "".join(
                p if isinstance(p, str) else said[p.name][p.place] if p.place >= 0 else str(said[p.name])
                for p in plan.pieces
                if not isinstance(p, Derived)
            )
            assert text == phrasing.render({**fixed, **said}), phrasing.where
        else:
            rows = range(len(BUILT_IN))
            assert compiled(phrasing, BUILT_IN, rows, fixed) == plainly(phrasing, BUILT_IN, rows, fixed), phrasing.where


def test_nearly_all_of_the_built_in_pack_is_compiled_and_none_of_it_rendered_row_by_row() -> None:
    found = Counter(share_of(phrasing) for phrasing in EVERY)
    assert found["by row"] == 0
    assert found["by value"] <= len(EVERY) // 100
    assert found["compiled"] >= len(EVERY) * 99 // 100
