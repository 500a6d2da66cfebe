"""What maintainers see and do, under `/api/v1/admin`. A file of routes for each noun.

Every route asks for the role maintainer and the scope admin. Numbers are of everything; a title, a
text or a name of a page is shown only to those who may read the page.
"""

from fastapi import APIRouter

from web.admin import feedback, gaps, generations, sources, stale, usage
from web.admin.runner import Runner

PREFIX = "/api/v1/admin"


def admin_for(runner: Runner) -> APIRouter:
    """The routes of the maintainers; `runner` starts the runs of sources. Who makes it closes it.

    The router goes into `Services.routers`.
    """
    whole = APIRouter(prefix=PREFIX, tags=["admin"])
    whole.include_router(sources.router_for(runner))
    whole.include_router(gaps.router_for())
    for noun in (generations, usage, feedback, stale):
        whole.include_router(noun.router)
    return whole
