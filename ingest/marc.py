"""MARC records: what both the source that fetches them and their parser read in them."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.safexml import Element, below


@dataclass(frozen=True, slots=True)
class Field:
    """A field such as `245 $a Title $b subtitle`."""

    tag: str
    first: str
    """The first indicator; a blank is a blank."""
    parts: tuple[tuple[str, str], ...]
    """Codes and values of the subfields that have one, in order."""

    def get(self, code: str) -> str:
        """The first value under a code; empty when there is none."""
        return next((value for name, value in self.parts if name == code), "")

    def every(self, code: str) -> list[str]:
        """All values under a code."""
        return [value for name, value in self.parts if name == code]


@dataclass(frozen=True, slots=True)
class Marc:
    """The fields of one record."""

    fields: tuple[Field, ...]
    controls: tuple[tuple[str, str], ...]

    def control(self, tag: str) -> str:
        """A control field such as 001, the number of the record; empty when there is none."""
        return next((value for name, value in self.controls if name == tag), "")

    def all(self, *tags: str) -> Iterator[Field]:
        """The fields with one of these tags, in order."""
        return (field for field in self.fields if field.tag in tags)

    def values(self, tag: str, code: str) -> list[str]:
        """All values under a code of all fields with a tag."""
        return [value for field in self.all(tag) for value in field.every(code)]


def read_marc(record: Element) -> Marc:
    """The record in an element of MARCXML."""
    return Marc(
        tuple(
            Field(
                element.get("tag", ""),
                element.get("ind1", " "),
                tuple(
                    (part.get("code", ""), text)
                    for part in below(element, "subfield")
                    if (text := "".join(part.itertext()).strip())
                ),
            )
            for element in below(record, "datafield")
        ),
        tuple(
            (element.get("tag", ""), (element.text or "").strip())
            for element in below(record, "controlfield")
        ),
    )
