"""What a browser does not show of an HTML page: by style, by attribute, by its colour.

A page can carry text that only a machine reads. Such text is dropped, whether it was put there to
command the machine or left over by an editor: nobody could check a citation of it.
"""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import Tag
from PIL import ImageColor

_LARGEST_STYLE = 200_000
_NUMBER = r"(-?\d{0,6}(?:\.\d{0,6})?)"
_FAR = 999
"""Pixels from which on something was moved out of sight rather than aside."""
_SMALLEST = 1.5
"""Pixels (or points) of type that nobody can read."""
_LEAST_CONTRAST = 1.15
"""Of WCAG's ratio, 1 for the same colour; readable text has 4.5, the palest captions 1.5."""
_WHITE = (255, 255, 255)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{}]*)\{([^{}]*)\}")
_SIMPLE = re.compile(r"[a-zA-Z][a-zA-Z0-9]*|[a-zA-Z]*[.#][\w-]+")
_NAME = re.compile(r"[.#][\w-]+")

Colour = tuple[int, int, int]


def declarations(style: str) -> dict[str, str]:
    """The properties of a style attribute or of a rule, in small letters; the last one holds."""
    found: dict[str, str] = {}
    for part in _COMMENT.sub("", style).split(";"):
        name, colon, value = part.partition(":")
        if colon:
            plain = value.replace("!important", "").strip().lower()
            found[name.strip().lower()] = plain
    return found


def hides(style: str) -> bool:
    """True when a style takes an element out of sight, whatever is around it."""
    if ":" not in style:
        return False
    given = declarations(style)
    shown = given.get("display") == "none" or given.get("visibility") in ("hidden", "collapse")
    return shown or _too_small(given) or _elsewhere(given)


def _too_small(given: dict[str, str]) -> bool:
    opacity = _amount(given.get("opacity", "1").rstrip("%"))
    if opacity is not None and opacity <= (5 if "%" in given.get("opacity", "") else 0.05):
        return True
    size = re.match(rf"{_NUMBER}(px|pt|em|rem|%)?$", given.get("font-size", ""))
    font = re.match(rf"{_NUMBER}(px|pt)?(?:/|\s)", given.get("font", ""))
    for found in (size, font):
        if found and (amount := _amount(found[1])) is not None:
            limit = {"em": 0.1, "rem": 0.1, "%": 10.0}.get(found[2] or "px", _SMALLEST)
            if amount <= limit:
                return True
    if given.get("overflow", "") in ("hidden", "clip"):
        sizes = (given.get(name, "") for name in ("width", "height", "max-height", "max-width"))
        return any(re.fullmatch(r"0(\.0*)?[a-z%]{0,3}|1(px|pt)", size) for size in sizes)
    return False


def _elsewhere(given: dict[str, str]) -> bool:
    if given.get("position") in ("absolute", "fixed", "relative"):
        if any(_far(given.get(side, "")) for side in ("left", "top", "right", "bottom")):
            return True
        if re.match(r"rect\(\s*[01]?(px)?[\s,]+[01]?(px)?[\s,]", given.get("clip", "")):
            return True
    if _far(given.get("text-indent", "")) or _far(given.get("margin-left", "")):
        return True
    if re.match(r"inset\(\s*(?:100|50)%|circle\(\s*0", given.get("clip-path", "")):
        return True
    moved = given.get("transform", "")
    shift = re.search(rf"translate[xy]?\(\s*{_NUMBER}(px|em|vw|vh|%)", moved)
    return bool(re.search(r"scale[xy]?\(\s*0?\.?0*\s*[,)]", moved)) or bool(
        shift and abs(_amount(shift[1]) or 0) >= _FAR
    )


def _far(value: str) -> bool:
    found = re.match(rf"{_NUMBER}(px|pt|em|rem|vw|vh|%|cm|in)", value)
    amount = _amount(found[1]) if found else None
    if found is None or amount is None:
        return False
    return amount <= -(_FAR if found[2] in ("px", "pt") else 99) or amount >= 10 * _FAR


def _amount(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# Colours -----------------------------------------------------------------------------------------


def colour(text: str) -> Colour | None:
    """What a colour of CSS or HTML is; None for one that is not known. `transparent` is white."""
    text = text.strip().lower()
    if text == "transparent" or re.fullmatch(r"rgba\(.*[,/]\s*0?\.?0*%?\s*\)", text):
        return _WHITE
    text = re.sub(
        r"^(rgb|hsl)a?\(\s*([^\s,]+)[\s,]+([^\s,]+)[\s,]+([^\s,/)]+).*", r"\1(\2,\3,\4)", text
    )
    if re.fullmatch(r"[0-9a-f]{6}", text):  # `bgcolor=ffffff` is read by browsers
        text = f"#{text}"
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        return None


def alike(one: Colour, other: Colour) -> bool:
    """True when text of one colour cannot be seen on the other.

    The ratio of relative luminances as WCAG 2.2 defines it.
    """
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    near = (bright + 0.05) / (dark + 0.05) < _LEAST_CONTRAST
    # Red and green of one lightness are told apart by people who see them.
    return near and max(abs(a - b) for a, b in zip(one, other, strict=True)) < 48


def _luminance(given: Colour) -> float:
    parts = [value / 255 for value in given]
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def unseen(tag: Tag) -> bool:
    """True for text in the colour of what lies behind it.

    Where nothing is said of a background it is the page's white, except in the header cells of
    tables, which the skins of wikis colour.
    """
    own = _own_colour(tag)
    if own is None:
        return False
    for around in (tag, *tag.parents):
        known = _background(around)
        if known is not None:
            return known != "" and (behind := colour(known)) is not None and alike(own, behind)
        if around.name == "th":
            return False
    return alike(own, _WHITE)


def _own_colour(tag: Tag) -> Colour | None:
    style = str(tag.attrs.get("style", ""))
    said = declarations(style).get("color", "") if "color" in style.lower() else ""
    if not said and tag.name in ("font", "basefont"):
        said = str(tag.attrs.get("color", ""))
    return colour(said) if said else None


def _background(tag: Tag) -> str | None:
    """The colour behind a tag's text; empty for a picture, None when the tag says nothing."""
    given = declarations(str(tag.attrs.get("style", "")))
    if "background-image" in given or "url(" in given.get("background", ""):
        return ""
    said = given.get("background-color") or given.get("background") or str(tag.get("bgcolor", ""))
    if not said or said in ("none", "transparent", "inherit", "initial"):
        return None
    first = re.match(r"(?:rgb|hsl)a?\([^)]*\)|[^\s]+", said)
    return first[0] if first else ""


# Style sheets ------------------------------------------------------------------------------------


def mark_hidden(soup: BeautifulSoup) -> None:
    """Give `hidden` to what a style sheet inside the page takes out of sight.

    Only plain selectors (`p`, `.note`, `#x`, `p.note`) are understood, and a name that another
    rule shows again is let be: tabs and folds open when a reader asks them to.
    """
    sheets = soup.find_all("style", limit=20)
    if not sheets:
        return
    text = "\n".join(sheet.get_text() for sheet in sheets)[:_LARGEST_STYLE]
    found = list(_rules(text))
    opened = {
        name
        for selectors, body in found
        if declarations(body).get("display", "none") != "none"
        or declarations(body).get("visibility") == "visible"
        for name in _NAME.findall(selectors)
    }
    for selectors, body in found:
        by_colour = _hides_by_colour(body)
        if not by_colour and not hides(body):
            continue
        for selector in (part.strip() for part in selectors.split(",")):
            if _SIMPLE.fullmatch(selector) and not opened.intersection(_NAME.findall(selector)):
                for tag in soup.select(selector, limit=500):
                    if tag.name not in ("html", "body"):
                        tag.attrs["hidden"] = ""


def _hides_by_colour(body: str) -> bool:
    given = declarations(body)
    own = colour(given["color"]) if "color" in given else None
    if own is None:
        return False
    behind = given.get("background-color") or given.get("background")
    if behind is None:
        return False  # a rule of the sheet alone does not say what lies behind
    known = colour(behind.split()[0]) if behind else None
    return known is not None and alike(own, known)


def _rules(text: str) -> Iterator[tuple[str, str]]:
    """The rules that always hold: not those inside `@media` and the like."""
    text = _COMMENT.sub("", text)
    depth = start = 0
    at_rule = ""
    kept: list[str] = []
    for edge in re.finditer(r"[{}]", text):
        if edge[0] == "{":
            if depth == 0 and "@" in text[start : edge.start()]:
                at_rule = "@"
            depth += 1
            continue
        depth = max(depth - 1, 0)
        if depth == 0:
            if not at_rule:
                kept.append(text[start : edge.end()])
            at_rule, start = "", edge.end()
    for found in _RULE.finditer("".join(kept)):
        yield found[1].strip(), found[2]
