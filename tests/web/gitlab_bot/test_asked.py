"""Who calls the bot, and for what."""

import pytest

from web.gitlab_bot.asked import What, asked_in


@pytest.mark.parametrize(
    ("text", "what", "question"),
    [
        ("@docent Who is on shift?", What.ANSWER, "Who is on shift?"),
        ("Hello @Docent, who is on shift?", What.ANSWER, "Hello , who is on shift?"),
        ("@docent", What.ANSWER, ""),
        ("@docent.", What.ANSWER, "."),
        ("/docent duplicates", What.DUPLICATES, ""),
        ("@docent duplicates?", What.DUPLICATES, ""),
        ("Some words.\n/docent pages\nMore.", What.PAGES, ""),
        ("/docent Who is on shift?", What.ANSWER, "Who is on shift?"),
        ("/DOCENT help", What.HELP, ""),
        ("@docent duplicates of what?", What.ANSWER, "duplicates of what?"),
        ("@docent link", What.LINK, ""),
        ("> old\n@docent why\n\n> quoted", What.ANSWER, "why"),
        ("@docent what does `make check` do?", What.ANSWER, "what does `make check` do?"),
    ],
)
def test_what_is_asked(text, what, question):
    found = asked_in(text, "docent")
    assert found is not None
    assert (found.what, found.text) == (what, question)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docent, who is on shift?",
        "mail@docent.org",
        "see group/@docent",
        "@docent-two who?",
        "@docenti who?",
        "@docent.bot who?",
        "`@docent` is the bot",
        "```\n@docent who?\n```",
        "~~~ text\n@docent",
        "> @docent who?",
        ">>>\n@docent who?\n>>>\n",
        "<!-- @docent who? -->",
        "Write /docent duplicates there",
        "/docents help",
        "/docent-bot help",
    ],
)
def test_who_does_not_call_it(text):
    assert asked_in(text, "docent") is None


def test_a_dot_in_the_name_is_a_dot():
    assert asked_in("@my.bot why?", "my.bot")
    assert asked_in("@myxbot why?", "my.bot") is None
