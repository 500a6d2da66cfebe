"""An Indico with the events of the sample."""

from datetime import date

from ingest.model import Page
from ingest.source_settings import IndicoSettings
from ingest.sources.indico import IndicoSource
from tests.ingest.sources.memory import Memory
from tests.servers import client_for, settings_for
from tests.servers.indico import attached, folder, made_event, talk

TODAY = date(2026, 9, 15)
STAFF = frozenset({"staff"})
PUBLIC = frozenset({"public"})


def source_of(server, today=TODAY, **settings):
    chosen = {"kind": "indico", "categories": [7], "refresh_days": 0, "days_back": 365, **settings}
    told = settings_for(server, IndicoSettings, **chosen)
    return IndicoSource("indico", told, client_for(told), today=lambda: today)


def run(server, memory=None, **settings):
    """One run, after those that the memory knows."""
    return (memory or Memory()).run(source_of(server, **settings))


def page_of(run, page_id):
    (found,) = [item for item in run.items if isinstance(item, Page) and item.id == page_id]
    return found


def slides(number=5, name="menu.pdf", **more):
    """A meeting in May with one talk that has slides."""
    file = attached(50 + number, name, **more)
    menu = talk(1, "Status of menu v8", "Kroll, Ada", folders=folder(file))
    return made_event(number, "2026-05-19", title="Trigger meeting", contributions=[menu])


def settings(**groups):
    named = {name.replace("category_", "category:"): to for name, to in groups.items()}
    told = {"kind": "indico", "url": "https://i.example", "categories": [1], "groups": named}
    return IndicoSettings.model_validate(told)
