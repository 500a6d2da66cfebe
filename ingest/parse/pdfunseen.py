"""What a PDF does not show: invisible text, white text on white, type too small, text off the page.

The content of a page is a program that sets a colour, a mode and a place and then shows strings.
`Unseen` follows it beside pypdf and empties the strings that leave no mark. The text layer that OCR
lays under a scan is invisible too, and stays: it is what the picture shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, NamedTuple

from pypdf.generic import ArrayObject, TextStringObject

_INVISIBLE = (3, 7)
"""Text rendering modes that paint nothing (ISO 32000-1, table 106)."""
_SMALLEST = 1.0
"""Points."""
_PALEST = 0.97
"""Least share of red, green and blue of what counts as white."""
_SCANNED = 0.5
"""Share of a page that pictures cover when it is a scan."""
_MARGIN = 2.0

Matrix = Sequence[float]


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def holds(self, x: float, y: float) -> bool:
        """True for a point inside or at the edge."""
        inside = self.left - _MARGIN <= x <= self.right + _MARGIN
        return inside and self.bottom - _MARGIN <= y <= self.top + _MARGIN


@dataclass(frozen=True, slots=True)
class _State:
    """What `q` saves and `Q` brings back."""

    white: bool = False
    mode: int = 0
    size: float = 1.0
    clear: bool = False
    """Drawn with an opacity of nothing."""


class Unseen:
    """Visitors for one extraction of one page."""

    def __init__(self, page: Any, *, scanned: bool = False) -> None:
        self._resources = _resources(page)
        box = [float(value) for value in page.mediabox]
        self._page = _Box(min(box[0::2]), min(box[1::2]), max(box[0::2]), max(box[1::2]))
        self._scanned = scanned
        self._state = _State()
        self._saved: list[_State] = []
        self._path: list[tuple[float, float]] = []
        self._painted: list[_Box] = []
        self._pictured = 0.0
        self._form: _Box | None = None
        """The form that is being drawn: it may paint, behind what follows it."""
        self._inside = 0
        """How many forms we are in: their places are not those of the page."""
        self._invisible = False

    @property
    def is_scan(self) -> bool:
        """True when invisible text was dropped from a page that pictures cover."""
        width, height = self._page.right - self._page.left, self._page.top - self._page.bottom
        return self._invisible and self._pictured >= _SCANNED * max(width * height, 1.0)

    def before(self, operator: Any, operands: Any, cm: Matrix, tm: Matrix) -> None:
        """For pypdf's `visitor_operand_before`."""
        name = bytes(operator).decode("latin-1") if isinstance(operator, bytes) else str(operator)
        try:
            self._follow(name, operands, cm, tm)
        except (IndexError, TypeError, ValueError, KeyError, AttributeError):
            return  # a broken operation paints nothing that we could know of

    def after(self, operator: Any, _operands: Any, _cm: Matrix, _tm: Matrix) -> None:
        """For pypdf's `visitor_operand_after`."""
        if operator == b"Do":
            self._inside -= 1
            if not self._inside and self._form:
                self._painted.append(self._form)
            self._state = self._saved.pop() if self._saved else _State()

    def _follow(self, name: str, operands: Any, cm: Matrix, tm: Matrix) -> None:
        if name in _SHOWING:
            if operands and self._is_unseen(cm, tm):
                _empty(operands)
        elif name in ("q", "Do"):
            self._saved.append(self._state)
            if name == "Do":
                self._inside += 1
                self._paint_object(operands[0], cm)
        elif name == "Q":
            self._state = self._saved.pop() if self._saved else _State()
        elif name in ("re", "m", "l", "c", "v", "y"):
            self._add_path(name, operands, cm)
        elif name in _FILLING or name == "n":
            if name != "n" and not self._state.white and self._path:
                self._painted.append(_around(self._path))
            self._path = []
        elif name in ("sh", "INLINE IMAGE", "EI", "BI"):
            self._painted.append(self._page)
        else:
            self._set(name, operands)

    def _set(self, name: str, operands: Any) -> None:
        if name == "Tr":
            self._state = replace(self._state, mode=int(operands[0]))
        elif name == "Tf":
            self._state = replace(self._state, size=abs(float(operands[1])))
        elif name in ("g", "rg", "k", "sc", "scn", "cs"):
            self._state = replace(self._state, white=_is_white(name, operands))
        elif name == "gs" and not self._inside:
            given = _entry(self._resources, "/ExtGState", operands[0])
            if given is not None and "/ca" in given:
                self._state = replace(self._state, clear=float(given["/ca"]) <= 0.02)

    def _is_unseen(self, cm: Matrix, tm: Matrix) -> bool:
        state = self._state
        if state.mode in _INVISIBLE:
            self._invisible = True
            return not self._scanned
        both = _product(tm, cm)
        scale = sqrt(abs(both[0] * both[3] - both[1] * both[2]))
        if state.clear or state.size * scale < _SMALLEST:
            return True
        if self._inside:
            return state.white and not self._painted
        x, y = both[4], both[5]
        if not (x <= self._page.right + _MARGIN and self._page.bottom - 50 <= y):
            return True
        if y > self._page.top + _MARGIN or x < self._page.left - 1000:
            return True
        return state.white and not any(box.holds(x, y) for box in self._painted)

    def _add_path(self, name: str, operands: Any, cm: Matrix) -> None:
        values = [float(value) for value in operands]
        if name == "re":
            x, y, width, height = values
            values = [x, y, x + width, y, x, y + height, x + width, y + height]
        self._path += [_moved(x, y, cm) for x, y in zip(values[0::2], values[1::2], strict=True)]

    def _paint_object(self, name: Any, cm: Matrix) -> None:
        if self._inside > 1:
            return
        self._form = None
        found = _entry(self._resources, "/XObject", name)
        if found is None:
            return
        corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
        if found.get("/Subtype") == "/Form":
            left, bottom, right, top = (float(value) for value in found["/BBox"])
            own = [float(value) for value in found.get("/Matrix", (1, 0, 0, 1, 0, 0))]
            corners = [_moved(x, y, own) for x in (left, right) for y in (bottom, top)]
            self._form = _around([_moved(x, y, cm) for x, y in corners])
            return
        self._pictured += abs(cm[0] * cm[3] - cm[1] * cm[2])
        self._painted.append(_around([_moved(x, y, cm) for x, y in corners]))


_SHOWING = frozenset({"Tj", "TJ", "'", '"'})
_FILLING = frozenset({"f", "F", "f*", "B", "B*", "b", "b*"})


def _empty(operands: Any) -> None:
    """Take the string out of an operation; what it does to the place stays."""
    last = operands[-1]
    operands[-1] = ArrayObject() if isinstance(last, ArrayObject) else TextStringObject("")


def _is_white(name: str, operands: Any) -> bool:
    values = [float(value) for value in operands] if name != "cs" else []
    if name == "k" or len(values) == 4:
        return bool(values) and max(values) <= 1 - _PALEST
    # One component may be a share of ink as well as of light.
    known = name == "g" or len(values) == 3
    return known and min(values) >= _PALEST


def _resources(page: Any) -> Any:
    for _ in range(20):
        if page is None:
            return {}
        if "/Resources" in page:
            return page["/Resources"].get_object()
        page = page["/Parent"].get_object() if "/Parent" in page else None
    return {}


def _entry(resources: Any, kind: str, name: Any) -> Any:
    group = resources.get(kind)
    found = None if group is None else group.get_object().get(name)
    return None if found is None else found.get_object()


def _product(one: Matrix, other: Matrix) -> list[float]:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return [a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k,
            e * h + f * j + m]  # fmt: skip


def _moved(x: float, y: float, by: Matrix) -> tuple[float, float]:
    return (x * by[0] + y * by[2] + by[4], x * by[1] + y * by[3] + by[5])


def _around(points: Sequence[tuple[float, float]]) -> _Box:
    across, up = [x for x, _ in points], [y for _, y in points]
    return _Box(min(across), min(up), max(across), max(up))
