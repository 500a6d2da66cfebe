"""The bot of a Mattermost: hears through its WebSocket, answers through its REST API.

    events → `Bot` → `Job` (one question, one reply) → `web.answers.begin` → edits of the reply

Read `bot.py` first. Mattermost itself keeps what was answered: each reply bears the id of its
question, so that neither a restart nor a lost event makes a second one.
"""

SERVICE = "mattermost"
"""The name under which its accounts are linked with ours."""
