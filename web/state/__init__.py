"""What Docent keeps about people: accounts, conversations, feedback, tokens, the audit log.

    state = await State.open("sqlite:////srv/docent/state.db")
    user = await state.users.sign_in(issuer, subject, name=..., email=..., groups=..., role=...)
    begun = await state.conversations.begin(user.id, "Who looks after the muon trigger?")
    await state.close()

Each noun has a file with its record (a frozen dataclass) and its repository. Every method that
reads or changes what belongs to somebody takes his id first and has it in its WHERE, so that what
belongs to another looks missing: None, False or an empty list. What maintainers see of everybody
stands apart, in `review`, `gaps` and `usage`; routes reach these for maintainers only.

All of it raises `StateTrouble` (a `DocentError`) when the database cannot be used, and has then
written nothing.
"""

from typing import Self

from web.state import migrate, upkeep
from web.state.account import Account, Accounts, account_to_dict
from web.state.audit import Audit, Shown
from web.state.conversations import Begun, Conversation, Conversations, Message
from web.state.database import Clock, Database, now, url_for
from web.state.devices import Devices
from web.state.errors import StateTrouble
from web.state.feedback import Feedback, Feedbacks, FeedbackState, Review, Verdict
from web.state.gaps import Gap, Gaps, GapState
from web.state.links import Link, LinkCode, Links
from web.state.pending import Pending, Waiting
from web.state.sessions import Session, Sessions
from web.state.shares import Share, Shared, Shares
from web.state.tokens import Token, Tokens, TooManyTokens
from web.state.underway import Underway
from web.state.upkeep import Purged
from web.state.usage import Hourly, Usage
from web.state.users import User, Users

__all__ = [
    "Account",
    "Begun",
    "Conversation",
    "Feedback",
    "FeedbackState",
    "Gap",
    "GapState",
    "Hourly",
    "Link",
    "LinkCode",
    "Message",
    "Purged",
    "Session",
    "Share",
    "Shared",
    "Shown",
    "State",
    "StateTrouble",
    "Token",
    "TooManyTokens",
    "User",
    "Verdict",
    "Waiting",
    "account_to_dict",
    "url_for",
]


class State:
    """The repositories over one database. Made by `State.open`, which brings it up to date."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.users = Users(database)
        self.sessions = Sessions(database)
        self.conversations = Conversations(database)
        self.underway = Underway(database)
        self.shares = Shares(database)
        self.feedback = Feedbacks(database)
        self.tokens = Tokens(database)
        self.devices = Devices(database)
        self.links = Links(database)
        self.pending = Pending(database)
        self.audit = Audit(database)
        self.accounts = Accounts(database)
        self.review = Review(database)
        self.gaps = Gaps(database)
        self.usage = Usage(database)

    @classmethod
    async def open(cls, url: str, *, clock: Clock = now, wait_s: float = 5.0) -> Self:
        """Connect, make or migrate the tables, and give the repositories.

        `url` is of SQLite or PostgreSQL; `url_for` makes it of the settings. `wait_s` is how long
        a call waits for a lock before it raises.

        Raises:
            StateTrouble: it cannot be opened, or a newer Docent made it (names the command to run).
        """
        database = Database(url, clock=clock, wait_s=wait_s)
        try:
            await migrate.upgrade(database)
        except BaseException:
            await database.close()
            raise
        return cls(database)

    @property
    def shared(self) -> bool:
        """Whether several servers may work on it: one on PostgreSQL."""
        return self.database.engine.dialect.name == "postgresql"

    async def close(self) -> None:
        """Close every connection."""
        await self.database.close()

    async def purge(self, audit_days: int) -> Purged:
        """Remove what is past its date; the server does so once a day."""
        return await upkeep.purge(self.database, audit_days=audit_days)
