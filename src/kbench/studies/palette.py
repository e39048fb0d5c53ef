"""The colours of a page's pictures: what matplotlib draws with, the page's variables, and their light and dark."""

import re

HUES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006", "#0a0007", "#0a0008")
"""Stand-ins of the colours of lines, told apart by those who see no red or no green; marks tell them apart too."""

HUE_VARIABLES = {stand_in: f"--hue-{number}" for number, stand_in in enumerate(HUES, 1)}
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""The mark of each line."""

COLOURS = {
    "--paper": ("#ffffff", "#14181d"),
    "--ink": ("#1b1f24", "#e3e8ee"),
    "--soft": ("#616a74", "#9aa4af"),
    "--line": ("#d8dee4", "#313943"),
    "--wash": ("#f5f7f9", "#1c2229"),
    "--hue-1": ("#0067b1", "#62aaf2"),
    "--hue-2": ("#c34a00", "#f5904a"),
    "--hue-3": ("#00795a", "#35c296"),
    "--hue-4": ("#a8478c", "#e08cc4"),
    "--hue-5": ("#8f6200", "#e0b13c"),
    "--hue-6": ("#2b8ab8", "#8fd3f5"),
    "--hue-7": ("#5b4a9e", "#ada0ee"),
    "--hue-8": ("#4d5660", "#c4ccd4"),
}
"""Each variable in the light and in the dark."""

_FIRST_TAG = re.compile(r"<svg\b[^>]*>")
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_VARIABLE = re.compile(r"var\((--[a-z0-9-]+)\)")


def page_colours(dark: bool) -> str:
    """The variables as a page's style sheet sets them."""
    return " ".join(f"{name}: {pair[dark]};" for name, pair in COLOURS.items())


def alone(svg: str) -> str:
    """A page's picture as a file of its own: of its size, on white, in the light's colours."""
    size = _SIZE.search(svg)
    shape = f'<svg width="{size[1]}pt" height="{size[2]}pt"' if size else "<svg"
    found = _FIRST_TAG.search(svg)
    if found is None:
        raise ValueError(f"no <svg> to write as a file (got {svg[:40]!r})")
    tag = found[0].replace("<svg", shape, 1)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n{tag}<rect width="100%" height="100%" fill="var(--paper)"/>'
    return _VARIABLE.sub(lambda found: COLOURS[found[1]][0], text + svg[found.end() :])
