"""Plots as SVG for a page: drawn by matplotlib, coloured by the page.

Why matplotlib and not SVG by hand: axes, ticks, legends and error bars that nobody here has to
maintain, and everybody in the field can change. What is ours is the way into the page: the text
stays text, and colours become those of the page, so that one drawing is right on light and on dark.

Labels come from files of questions and runs: none of them is taken for TeX or for markup. A series
has its colour by its place; one without values keeps the place, so that a run looks alike in all
plots.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

from eval.measures import Interval
from ingest.errors import DocentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = 6
"""The page has so many for series; more series have other lines and marks."""
_LINES = ("-", "--", ":", "-.")
_MARKS = "osD^vPX*"
_WIDTH = 7.2  # inches of 72 units; the page scales it
_INK, _FAINT = "#000001", "#000002"
_PAINT = {
    _INK: "currentColor",
    _FAINT: "var(--faint)",
    **{f"#0000{0xA0 + at:02x}": f"var(--series-{at})" for at in range(COLOURS)},
}
"""What matplotlib is told, and what the page understands."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "docent",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One series of points, in the order they are joined."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    """Of the interval at each point; empty for none."""
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What a plot is called, what it shows in a sentence, and what its axes are."""

    title: str
    says: str
    x: str
    y: str = ""


def lines(series: Sequence[Line], words: Words, *, whole_x: bool = False) -> str:
    """Lines with bands for their intervals; `whole_x` puts ticks at whole numbers only."""

    def draw(axes: "Axes") -> None:
        for at, one in enumerate(series):
            axes.plot(one.x, one.y, **_look(at), markersize=3.5, linewidth=1.6)
            if one.low:
                axes.fill_between(one.x, one.low, one.high, color=_colour(at), alpha=0.12, lw=0)
        axes.set_ylim(-0.02, 1.02)
        if whole_x:
            axes.set_xticks(sorted({x for one in series for x in one.x}))
        else:
            axes.set_xlim(-0.02, 1.02)

    return _drawn(draw, words, {at: one.name for at, one in enumerate(series) if one.x})


def shares_within(series: Mapping[str, Sequence[float]], words: Words) -> str:
    """For each series of seconds, the share that is not above x: a cumulative distribution."""

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import LogLocator, NullFormatter

        for at, values in enumerate(series.values()):
            if values:
                axes.ecdf(values, **{**_look(at), "marker": ""}, linewidth=1.6)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(-0.02, 1.02)

    told = {at: name for at, name in enumerate(series) if series[name]}
    return _drawn(draw, words, told, marks=False)


def bars(series: Mapping[str, Mapping[str, Interval | None]], words: Words) -> str:
    """Horizontal bars of shares with their intervals: series → class → share, classes downwards."""
    classes = sorted({name for shares in series.values() for name in shares})
    thick = 0.8 / max(len(series), 1)

    def draw(axes: "Axes") -> None:
        for at, shares in enumerate(series.values()):
            for row, name in enumerate(classes):
                if value := shares.get(name):
                    place = row - 0.4 + thick * (at + 0.5)
                    axes.barh(place, value.value, thick * 0.9, color=_colour(at), alpha=0.75)
                    axes.plot((value.low, value.high), (place, place), color=_INK, linewidth=1)
        axes.set_yticks(range(len(classes)), classes)
        axes.set_ylim(len(classes) - 0.5, -0.5)
        axes.set_xlim(0, 1.02)
        axes.grid(visible=False, axis="y")

    height = 1.1 + len(classes) * max(0.3, 0.16 * len(series))
    return _drawn(draw, words, dict(enumerate(series)), height, patches=True)


def _colour(at: int) -> str:
    return f"#0000{0xA0 + at % COLOURS:02x}"


def _look(at: int) -> dict[str, Any]:
    return {
        "color": _colour(at),
        "linestyle": _LINES[at % len(_LINES)],
        "marker": _MARKS[at % len(_MARKS)],
    }


def _drawn(
    draw: Callable[["Axes"], None],
    words: Words,
    shown: Mapping[int, str],
    height: float = 3.4,
    *,
    marks: bool = True,
    patches: bool = False,
) -> str:
    """The axes drawn, with a legend of the series `shown`: their place in the page → their name."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
    except ImportError:
        msg = "The plots of a report need matplotlib. Run: pip install 'docent[eval]'"
        raise DocentError(msg) from None
    out = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel(words.x)
        axes.set_ylabel(words.y)
        handles = [
            Patch(color=_colour(at), alpha=0.75)
            if patches
            else Line2D([], [], **(_look(at) if marks else {**_look(at), "marker": ""}))
            for at in shown
        ]
        figure.legend(handles, shown.values(), loc="outside upper left", ncols=min(len(shown), 3))
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(out, format="svg", metadata=nothing)
    return _for_page(out.getvalue(), words)


def _for_page(drawn: str, words: Words) -> str:
    """The drawing as a part of a page: named, without ids that clash, in the page's colours."""
    root = etree.fromstring(drawn.encode(), etree.XMLParser(resolve_entities=False))
    prefix = "".join(c if c.isalnum() else "-" for c in words.title.lower())
    for style in root.findall(".//{*}style"):
        style.getparent().remove(style)  # One for all elements of the page.
    for element in root.iter("*"):
        for name, value in element.attrib.items():
            element.set(name, _told(name, value, prefix))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title {prefix}-desc")
    for at, (tag, text) in enumerate((("title", words.title), ("desc", words.says))):
        told = etree.Element(f"{{http://www.w3.org/2000/svg}}{tag}", id=f"{prefix}-{tag}")
        told.text = text
        root.insert(at, told)
    return str(etree.tostring(root, encoding="unicode"))


def _told(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name.endswith("href"):
        return value.replace("#", f"#{prefix}-", 1)
    value = value.replace("url(#", f"url(#{prefix}-")
    if name in ("style", "fill", "stroke"):
        for told, meant in _PAINT.items():
            value = value.replace(told, meant)
    return value
