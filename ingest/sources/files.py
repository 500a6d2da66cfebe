"""A folder on this machine as a source, with rules for access, format and link."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from ingest.errors import SettingsError
from ingest.model import AccessList, Failure, Item, Page, Past
from ingest.source_settings import FilesSettings, Rule


def glob_pattern(glob: str) -> re.Pattern[str]:
    """A path glob as a regular expression: `*` and `?` stay in one folder, `**` crosses folders."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(pieces.get(part, re.escape(part)) for part in parts))


@dataclass(frozen=True)
class FilesSource:
    """Pages are files, named by their path below the folder."""

    name: str
    settings: FilesSettings
    requests: None = None

    def pages(self, past: Past) -> Iterator[Item]:
        """Every file that is included; one that cannot be read is a `Failure`."""
        for path, file in self._files():
            page_id = f"{self.name}:{path}"
            try:
                size = file.stat().st_size
                if size > self.settings.max_bytes:
                    limit = self.settings.max_bytes
                    reason = f"{path} has {size:,} bytes, more than max_bytes = {limit:,} allows."
                    yield Failure(page_id, self.name, reason)
                    continue
                content = file.read_bytes()
                changed = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC)
            except OSError as error:
                yield Failure(page_id, self.name, f"{path} cannot be read: {error.strerror}.")
                continue
            access, format_, url = self._apply_rules(path)
            dated = changed if self.settings.file_dates else None
            yield Page(page_id, self.name, url, format_, content, dated, access)

    def live_ids(self) -> Iterator[str]:
        """Ids of all included files."""
        for path, _ in self._files():
            yield f"{self.name}:{path}"

    def _files(self) -> Iterator[tuple[str, Path]]:
        root = self.settings.path
        if not root.is_dir():
            msg = f"[sources.{self.name}] path {root} is not a folder."
            raise SettingsError(msg)
        base = root.resolve()
        for file in sorted(root.rglob("*")):
            path = file.relative_to(root).as_posix()
            if not self._included(path) or not file.is_file():
                continue
            # A link that leads out of the folder would publish what the rules were not written for.
            if not file.resolve().is_relative_to(base):
                continue
            yield path, file

    def _included(self, path: str) -> bool:
        include, exclude = self._globs
        return any(g.fullmatch(path) for g in include) and not any(
            g.fullmatch(path) for g in exclude
        )

    @cached_property
    def _globs(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        return (
            [glob_pattern(glob) for glob in self.settings.include],
            [glob_pattern(glob) for glob in self.settings.exclude],
        )

    @cached_property
    def _rules(self) -> list[tuple[re.Pattern[str], Rule]]:
        return [(glob_pattern(rule.match), rule) for rule in self.settings.rules]

    def _apply_rules(self, path: str) -> tuple[AccessList, str, str]:
        access, format_, url, strip = self.settings.access, "", "", ""
        for pattern, rule in self._rules:
            if pattern.fullmatch(path):
                access = rule.access if rule.access is not None else access
                format_ = rule.format if rule.format is not None else format_
                url = rule.url if rule.url is not None else url
                strip = rule.strip if rule.strip is not None else strip
        short = quote(path.removeprefix(strip))
        stem = short.rsplit(".", 1)[0] if "." in short.rsplit("/", 1)[-1] else short
        for key, value in (("path", short), ("stem", stem), ("name", stem.rsplit("/", 1)[-1])):
            url = url.replace(f"{{{key}}}", value)
        return access, format_, url
