"""What the bot says of itself: what can be asked, how to be known, and what went wrong."""

from web.mattermost import SERVICE, words
from web.mattermost.desk import Desk
from web.problems import Refused, describe
from web.state import StateTrouble
from web.who import Caller

STRANGER = (
    "You see what everybody may read: this account is not linked with your sign-in yet. "
    "Write `link` to link it."
)
ENDED = "You see what everybody may read: your last sign-in is too long ago."


async def stranger_note(desk: Desk, caller: Caller) -> str:
    """What somebody should know who reads as the public, where only he sees it."""
    prefix = f"{SERVICE}:"
    if not caller.user_id.startswith(prefix) or not desk.services.door.sign_in_url:
        return ""
    try:
        linked = await desk.services.state.links.user_of(
            SERVICE, caller.user_id.removeprefix(prefix)
        )
    except StateTrouble:
        return ""
    if linked is None:
        return STRANGER
    return f"{ENDED} {words.MARKDOWN.link('Sign in', desk.page)} once, and ask again."


async def link_text(desk: Desk, user: str) -> str:
    """The way to link an account, for its owner alone."""
    if not desk.services.door.sign_in_url:
        return "Nobody signs in at this Docent, so everybody reads the same here."
    try:
        (account,) = await desk.server.accounts([user]) or (None,)
        name = f"@{account.username}" if account else user
        code = await desk.services.state.links.code(SERVICE, user, name)
    except StateTrouble as trouble:
        return words.escaped(str(trouble))
    return (
        f"[Link this account with your sign-in](<{desk.page}/link#{code}>) within ten minutes. "
        "From then on I answer you in direct messages and with `/docent private` from all that "
        "you may read. Give the address to nobody."
    )


async def unlink_text(desk: Desk, user: str) -> str:
    """End the link of an account, and say so."""
    try:
        ended = await desk.services.state.links.forget(SERVICE, user)
    except StateTrouble as trouble:
        return words.escaped(str(trouble))
    desk.audience.forget()
    return "This account is linked no more." if ended else "This account is not linked."


def help_text(desk: Desk) -> str:
    """What can be asked, and how."""
    name = desk.me.username
    return "\n".join(
        [
            "I answer from the collaboration's documents and say where it stands.",
            "",
            f"- `@{name} QUESTION` in a channel, or any question in a direct message to me",
            "- `/docent QUESTION` asks here; what I write is made of what all readers may read",
            "- `/docent private QUESTION` answers you alone, from all that you may read",
            "- `/docent search WORDS` finds pages, `/docent sources` tells what there is",
            "- `/docent link` links this account with your sign-in, `/docent unlink` ends that",
            "",
            "Edit a question and I answer anew; delete it and the answer goes. :+1: and :-1: tell "
            "those who keep the documents.",
        ]
    )


def sentence(error: Exception) -> str:
    """What somebody is told of an error."""
    if isinstance(error, Refused):
        return words.escaped(error.detail)
    return words.escaped(describe(error)[1])
