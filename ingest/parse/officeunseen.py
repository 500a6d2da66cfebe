"""What Word and PowerPoint do not show of a file: taken out of its tree before the text is read.

Hidden and vanished runs, text in the colour of what lies behind it, type too small to see, shapes
that are hidden or lie off the slide. Where a style, a picture or a gradient decides what lies
behind, nobody can tell here, and the text is kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from docx.opc.constants import RELATIONSHIP_TYPE as RT
from lxml import etree

from ingest.parse.cloaked import Colour, alike, colour

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_OFF = ("0", "false", "off")
_SMALLEST_HALF_POINTS = 3
_SMALLEST_HUNDREDTHS = 150
"""Of a point: 1.5 points, which nobody can read."""
_WHITE: Colour = (255, 255, 255)


# Word --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Looks:
    """What properties of a run say; None where they say nothing."""

    vanish: bool | None = None
    colour: Colour | None = None
    size: int | None = None

    def over(self, other: "_Looks") -> "_Looks":
        """These properties, and the other's where these say nothing."""
        return _Looks(
            other.vanish if self.vanish is None else self.vanish,
            self.colour or other.colour,
            other.size if self.size is None else self.size,
        )


def strip_word(opened: Any) -> None:
    """Take out of a Word document what it does not show."""
    body = opened.element.body
    styles = _looks_of_styles(opened)
    for run in list(body.iter(f"{_W}r")):
        if _unseen_run(run, styles):
            run.getparent().remove(run)
    for drawing in list(body.iter(f"{_W}drawing")):
        if any(told.get("hidden") in ("1", "true") for told in drawing.iter(f"{_WP}docPr")):
            drawing.getparent().remove(drawing)


def _looks_of_styles(opened: Any) -> dict[str, _Looks]:
    found: dict[str, _Looks] = {}
    for style in opened.styles:
        looks, given = _Looks(), style
        for _ in range(10):
            if given is None:
                break
            looks = looks.over(_looks(given.element.find(f"{_W}rPr")))
            given = getattr(given, "base_style", None)
        found[style.style_id] = looks
    return found


def _looks(properties: Any) -> _Looks:
    if properties is None:
        return _Looks()
    vanish = None
    for name in ("vanish", "webHidden", "specVanish"):
        mark = properties.find(f"{_W}{name}")
        if mark is not None:
            vanish = bool(vanish) or mark.get(f"{_W}val", "1") not in _OFF
    size = properties.find(f"{_W}sz")
    half_points = "" if size is None else str(size.get(f"{_W}val", ""))
    return _Looks(
        vanish, _word_colour(properties), int(half_points) if half_points.isdecimal() else None
    )


def _word_colour(properties: Any) -> Colour | None:
    given = properties.find(f"{_W}color")
    if given is None:
        return None
    if given.get(f"{_W}themeColor") in ("background1", "light1"):
        return _WHITE if given.get(f"{_W}themeShade") is None else None
    return colour(str(given.get(f"{_W}val", "")))


def _unseen_run(run: Any, styles: dict[str, _Looks]) -> bool:
    properties = run.find(f"{_W}rPr")
    looks = _looks(properties)
    paragraph = next(run.iterancestors(f"{_W}p"), None)
    for holder, path in ((properties, "rStyle"), (paragraph, f"pPr/{_W}pStyle")):
        named = None if holder is None else holder.find(f"{_W}{path}")
        if named is not None:
            looks = looks.over(styles.get(str(named.get(f"{_W}val")), _Looks()))
    if looks.vanish:
        return True
    if looks.size is not None and looks.size <= _SMALLEST_HALF_POINTS:
        return True
    if looks.colour is None:
        return False
    behind = _behind_run(run, properties)
    return behind is not None and alike(looks.colour, behind)


def _behind_run(run: Any, properties: Any) -> Colour | None:
    """The colour behind a run; None where a style of the table decides it."""
    marked = None if properties is None else properties.find(f"{_W}highlight")
    if marked is not None and marked.get(f"{_W}val") != "none":
        return colour(str(marked.get(f"{_W}val")))
    places = [properties]
    for above in run.iterancestors():
        name = above.tag.removeprefix(_W)
        places.append(above.find(f"{_W}{name}Pr"))
        if name == "tbl" and above.find(f"{_W}tblPr/{_W}tblStyle") is not None:
            places.append(above)
    for place in places:
        if place is None:
            continue
        if place.tag == f"{_W}tbl":
            return None
        shading = place.find(f"{_W}shd")
        if shading is not None and shading.get(f"{_W}fill", "auto") != "auto":
            return colour(str(shading.get(f"{_W}fill")))
    return _WHITE


# PowerPoint --------------------------------------------------------------------------------------


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        """True when the two share some of their area."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class _Map(NamedTuple):
    """How the inside of a group is placed on the slide."""

    scale_x: float = 1.0
    scale_y: float = 1.0
    left: float = 0.0
    top: float = 0.0


@dataclass(slots=True)
class _Slide:
    """A slide with what is behind its text."""

    colours: dict[str, Colour]
    background: Colour | None
    layout: Any
    painted: list[_Box | None] = field(default_factory=list)
    """What is filled, a picture or a table; None where its place is not known."""


def is_shown(slide: Any) -> bool:
    """False for a slide that is left out when the talk is given."""
    return str(slide.element.get("show", "1")) not in _OFF


def strip_slide(slide: Any, width: int, height: int) -> None:
    """Take out of a slide what it does not show. Sizes in English metric units."""
    layout = slide.slide_layout
    master = layout.slide_master
    colours = _theme(slide, layout, master)
    made = _Slide(colours, _background((slide, layout, master), colours), layout.shapes.element)
    for shapes in (slide.shapes, layout.shapes, master.shapes):
        made.painted += [
            box for one, box in _placed(shapes.element, made.layout) if _is_painted(one)
        ]
    page = _Box(0, 0, width, height)
    for one, box in list(_placed(slide.shapes.element, made.layout)):
        told = next(one.iter(f"{_P}cNvPr"), None)
        off = box is not None and not box.meets(page)
        if off or (told is not None and told.get("hidden") in ("1", "true")):
            one.getparent().remove(one)
            continue
        for run in [*one.iter(f"{_A}r"), *one.iter(f"{_A}fld")]:
            if _unseen_on(made, run, one, box):
                run.getparent().remove(run)


def _placed(
    tree: Any, layout: Any, inside: _Map | None = None
) -> Iterator[tuple[Any, _Box | None]]:
    """Shapes, pictures and frames with their boxes on the slide, those in groups too."""
    inside = inside or _Map()
    for child in tree:
        if not isinstance(child.tag, str):
            continue
        name = child.tag.removeprefix(_P)
        if name in ("sp", "pic", "graphicFrame"):
            yield child, _box(child, inside, layout)
        elif name == "grpSp":
            yield from _placed(child, layout, _group(child, inside))
        elif child.tag.endswith("}AlternateContent"):
            for choice in child:
                yield from _placed(choice, layout, inside)


def _numbers(node: Any, *names: str) -> list[float] | None:
    if node is None or not all(re.fullmatch(r"-?\d{1,12}", node.get(name, "")) for name in names):
        return None
    return [float(node.get(name)) for name in names]


def _frame(shape: Any) -> Any:
    found = shape.find(f"{_P}spPr/{_A}xfrm")
    return shape.find(f"{_P}xfrm") if found is None else found


def _box(shape: Any, inside: _Map, layout: Any) -> _Box | None:
    frame = _frame(shape)
    if frame is None and (twin := _of_layout(shape, layout)) is not None:
        frame = _frame(twin)
    at = None if frame is None else _numbers(frame.find(f"{_A}off"), "x", "y")
    size = None if frame is None else _numbers(frame.find(f"{_A}ext"), "cx", "cy")
    if at is None or size is None:
        return None
    left, top = inside.left + inside.scale_x * at[0], inside.top + inside.scale_y * at[1]
    return _Box(left, top, left + inside.scale_x * size[0], top + inside.scale_y * size[1])


def _of_layout(shape: Any, layout: Any) -> Any:
    """The place of the layout that a shape of the slide fills."""
    own = next(shape.iter(f"{_P}ph"), None)
    if own is None:
        return None
    for other in layout.iter(f"{_P}ph"):
        key = "idx" if own.get("idx") else "type"
        if other.get(key) == own.get(key):
            return next(other.iterancestors(f"{_P}sp"), None)
    return None


def _group(group: Any, inside: _Map) -> _Map:
    frame = group.find(f"{_P}grpSpPr/{_A}xfrm")
    if frame is None:
        return inside
    parts = [frame.find(f"{_A}{name}") for name in ("off", "ext", "chOff", "chExt")]
    off, ext = _numbers(parts[0], "x", "y"), _numbers(parts[1], "cx", "cy")
    inner, extent = _numbers(parts[2], "x", "y"), _numbers(parts[3], "cx", "cy")
    if not (off and ext and inner and extent and extent[0] and extent[1]):
        return inside
    scale_x, scale_y = ext[0] / extent[0], ext[1] / extent[1]
    return _Map(
        inside.scale_x * scale_x,
        inside.scale_y * scale_y,
        inside.left + inside.scale_x * (off[0] - inner[0] * scale_x),
        inside.top + inside.scale_y * (off[1] - inner[1] * scale_y),
    )


def _is_painted(shape: Any) -> bool:
    if shape.tag != f"{_P}sp":
        return True
    properties = shape.find(f"{_P}spPr")
    fills = [] if properties is None else [child.tag.removeprefix(_A) for child in properties]
    if "noFill" in fills:
        return False
    if any(name.endswith("Fill") for name in fills):
        return True
    styled = shape.find(f"{_P}style/{_A}fillRef")
    return styled is not None and styled.get("idx") != "0"


def _unseen_on(slide: _Slide, run: Any, shape: Any, box: _Box | None) -> bool:
    properties = run.find(f"{_A}rPr")
    size = _numbers(properties, "sz")
    if size is not None and size[0] <= _SMALLEST_HUNDREDTHS:
        return True
    if properties is not None and properties.find(f"{_A}noFill") is not None:
        return properties.find(f"{_A}ln") is None
    fill = None if properties is None else properties.find(f"{_A}solidFill")
    if fill is None:
        fill = shape.find(f"{_P}txBody/{_A}lstStyle/{_A}lvl1pPr/{_A}defRPr/{_A}solidFill")
    if fill is None:
        return False
    if any(alpha.get("val") == "0" for alpha in fill.iter(f"{_A}alpha")):
        return True
    own, behind = _filled(fill, slide.colours), _behind(slide, shape, box)
    return own is not None and behind is not None and alike(own, behind)


def _behind(slide: _Slide, shape: Any, box: _Box | None) -> Colour | None:
    """The colour behind the text of a shape; None where it cannot be told."""
    own = shape.find(f"{_P}spPr/{_A}solidFill")
    if own is not None:
        return _filled(own, slide.colours)
    if _is_painted(shape):
        return None
    if any(box is None or other is None or box.meets(other) for other in slide.painted):
        return None
    return slide.background


def _filled(fill: Any, colours: dict[str, Colour]) -> Colour | None:
    """The colour of a solid fill; None for one that is unknown or made lighter or darker."""
    for given in fill:
        if any(not child.tag.endswith("}alpha") for child in given):
            return None
        value = str(given.get("lastClr") or given.get("val", ""))
        if given.tag == f"{_A}schemeClr":
            return colours.get(value)
        return colour(value)
    return None


def _background(layers: tuple[Any, ...], colours: dict[str, Colour]) -> Colour | None:
    for layer in layers:
        found = layer.element.find(f"{_P}cSld/{_P}bg")
        if found is None:
            continue
        reference = found.find(f"{_P}bgRef")
        fill = found.find(f"{_P}bgPr/{_A}solidFill") if reference is None else reference
        return None if fill is None else _filled(fill, colours)
    return _WHITE


def _theme(slide: Any, layout: Any, master: Any) -> dict[str, Colour]:
    """The colours of the theme under the names that the slide uses for them."""
    try:
        blob = master.part.part_related_by(RT.THEME).blob
        root = etree.fromstring(blob, etree.XMLParser(resolve_entities=False, no_network=True))
    except (KeyError, etree.XMLSyntaxError):
        return {}
    named = {
        child.tag.removeprefix(_A): known
        for scheme in root.iter(f"{_A}clrScheme")
        for child in scheme
        if (known := _filled(child, {})) is not None
    }
    names = master.element.find(f"{_P}clrMap")
    for one in (layout, slide):
        own = one.element.find(f"{_P}clrMapOvr/{_A}overrideClrMapping")
        names = names if own is None else own
    used = {} if names is None else {key: named.get(value) for key, value in names.attrib.items()}
    return named | {key: value for key, value in used.items() if value is not None}
