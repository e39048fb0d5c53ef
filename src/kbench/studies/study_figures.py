"""The figures of a study: each with a name, a title, what it shows in words, and the picture."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kbench.studies.figure_claims import claims_figure, forest_rows
from kbench.studies.figure_effects import Line, lines_figure, panels_figure
from kbench.studies.figure_heat import heat_figure
from kbench.studies.figure_lines import Watched, curve_lines, learning_lines, lines_over
from kbench.studies.study import Study
from kbench.studies.study_effects import FactorEffect
from kbench.studies.study_means import means_of, title_of
from kbench.studies.study_run import Account

_WIDTH = re.compile(r'viewBox="0 0 ([\d.]+) ')
_PIXELS_A_POINT = 1.4
_LEAST = 0.72
"""On a narrow page a picture shrinks to this share of its size; then it scrolls."""
Draw = Callable[[str, str, Sequence[Line]], str]
_MOST_ROWS = 40
_MOST_PANELS = 4


@dataclass(frozen=True)
class Figure:
    """A picture with what is written over and under it; `name` is that of its file and of its ids."""

    name: str
    kind: str
    title: str
    caption: str
    svg: str

    @property
    def inline(self) -> str:
        """The picture as it stands in a page: of its own size, or less down to where it can be read."""
        found = _WIDTH.search(self.svg)
        if found is None:
            raise ValueError(f"no width in the picture {self.name!r} (got {self.svg[:60]!r})")
        width = float(found[1]) * _PIXELS_A_POINT
        style = f'style="width:{width:.0f}px;max-width:100%;min-width:{width * _LEAST:.0f}px" '
        return self.svg.replace("<svg ", f"<svg {style}", 1)


def figures_of(account: Account) -> list[Figure]:
    """Every figure that there is something to show in: claims, heat map, effects, curves, learning curves."""
    return [*_claims(account), *_heat(account), *_effects(account), *_curves(account), *_learning(account)]


def _claims(account: Account) -> Iterator[Figure]:
    if account.judged:
        rows = forest_rows(account.design.study, account.levels, account.judged)
        caption = "A claim of several effects holds only if all of them do."
        yield Figure("claims", "claims", "The claims", caption, claims_figure(rows))


def _heat(account: Account) -> Iterator[Figure]:
    study = account.design.study
    means = [mean for mean in means_of(account.design, account.levels) if mean.reading in study.shown]
    order = {reading: number for number, reading in enumerate(study.shown)}
    means.sort(key=lambda mean: order[mean.reading])  # the columns as the study shows them ...
    cells = list(dict.fromkeys(mean.cell for mean in means_of(account.design, account.levels)))
    means.sort(key=lambda mean: cells.index(mean.cell))  # ... and the rows as the design has them
    if means:
        caption = (
            "The share of right answers in the mean over seeds, with half the width of its 95 % t interval; "
            "the control (the same asked of never-trained twins) where its interval lies above chance."
        )
        yield Figure("heat", "heat", "Every cell", caption, heat_figure(means, "Cells by readings"))


def _effects(account: Account) -> Iterator[Figure]:
    study = account.design.study
    kinds: dict[tuple[str, bool], list[FactorEffect]] = {}
    for effect in account.effects:
        trained = all(factor in study.factors for factor in effect.factor.split(" × "))
        kinds.setdefault((effect.kind, trained), []).append(effect)
    yield from _panelled("effects", "What each factor of the training does", study, kinds.get(("main", True), []))
    yield from _listed("inside", "What each factor inside a cell does", study, kinds.get(("main", False), []))
    crossed = kinds.get(("interaction", False), [])
    yield from _listed("crossed", "How a factor of the training turns the effect of one inside a cell", study, crossed)
    yield from _panelled(
        "pairs", "How two factors of the training turn each other's effect", study, kinds.get(("interaction", True), [])
    )


def _panelled(name: str, title: str, study: Study, effects: Sequence[FactorEffect]) -> Iterator[Figure]:
    lines = [_line(study, effect) for effect in effects]
    order = [title_of(study, reading) for reading in study.shown]
    panels = sorted(dict.fromkeys(line.panel for line in lines), key=order.index)
    chosen = [panels[start : start + _MOST_PANELS] for start in range(0, len(panels), _MOST_PANELS)]
    found = [part for some in chosen for part in _parted([line for line in lines if line.panel in some])]
    told = "An interaction is a difference of differences; " if name == "pairs" else ""
    caption = f"{told}{'each' if told else 'Each'} level against that of the centre, paired by seed."
    yield from _numbered(name, title, caption, panels_figure, found)


def _listed(name: str, title: str, study: Study, effects: Sequence[FactorEffect]) -> Iterator[Figure]:
    found = _parted([_line(study, effect) for effect in effects])
    caption = (
        "A difference of differences: how much larger the effect inside the cell is there than in the centre."
        if name == "crossed"
        else "Two readings of the same model's answers in the centre, paired by seed."
    )
    yield from _numbered(name, title, caption, lines_figure, found)


def _numbered(name: str, title: str, caption: str, draw: Draw, parts: Sequence[Sequence[Line]]) -> Iterator[Figure]:
    for number, lines in enumerate(parts, 1):
        more, of = (f"-{number}", f" ({number} of {len(parts)})") if len(parts) > 1 else ("", "")
        yield Figure(name + more, "effects", title + of, caption, draw(name + more, title, lines))


def _line(study: Study, effect: FactorEffect) -> Line:
    titles = {name: factor.title for name, factor in study.factors.items()}
    titles |= {name: within.title for name, within in study.within.items()}
    group = " × ".join(titles[name] for name in effect.factor.split(" × "))
    label = f"{effect.left} − {effect.right}" if effect.kind == "main" else effect.left
    return Line(group, label, title_of(study, effect.reading), effect.estimate)


def _parted(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines cut where a group begins, so that no part has many more rows than can be read on a page."""
    parts: list[list[Line]] = []
    for group in dict.fromkeys(line.group for line in lines):
        mine = [line for line in lines if line.group == group]
        if not parts or _count([*parts[-1], *mine]) > _MOST_ROWS:
            parts.append([])
        parts[-1] += mine
    return parts


def _count(lines: Sequence[Line]) -> int:
    return len({(line.group, line.label) for line in lines})


def _curves(account: Account) -> Iterator[Figure]:
    design = account.design
    for name, curve in design.study.curves.items():
        if lines := curve_lines(design, account.levels, curve):
            x = design.study.factors[curve.factor].title
            where = _where(design.study, curve.levels)
            caption = f"Mean and 95 % t interval over seeds; dotted: a uniform guess.{where}"
            svg = lines_over(f"curve-{name}", curve.title, x, "share of right answers", lines)
            yield Figure(f"curve-{name}", "curves", curve.title, caption, svg)


def _where(study: Study, levels: dict[str, str]) -> str:
    told = ", ".join(f"{study.factors[name].title} {level}" for name, level in levels.items())
    return f" In cells of {told}; all else as in the centre." if told else ""


def _learning(account: Account) -> Iterator[Figure]:
    study = account.design.study
    watched = [Watched(epoch.cell, epoch.epoch, epoch.validation) for epoch in account.epochs]
    if lines := learning_lines(account.design, watched):
        title = f"Learning curves, by {next(iter(study.factors.values())).title}"
        caption = (
            "Right answers to watched validation questions after each epoch, a part of them about the background, "
            "which the base knows; band: 95 % t interval over seeds."
        )
        svg = lines_over("learning", title, "epoch", "share of right answers", lines)
        yield Figure("learning", "learning", title, caption, svg)
