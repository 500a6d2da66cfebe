"""What the `gitlab` source makes pages of, beyond the exports of `test_exports.py`."""

import json
from datetime import UTC, datetime

from ingest.parse import parse
from tests.ingest.parse.pages import one, page, path_of, texts


def document(value):
    return one(json.dumps(value), "gitlab", "gitlab:12/issues/7")


def note(number, body, **more):
    author = {"name": "Ada Kroll", "username": "akroll"}
    return {"id": number, "body": body, "author": author, "created_at": "2026-03-04", **more}


def test_replies_stand_below_the_comment_that_they_answer():
    found = document(
        {
            "iid": 7,
            "title": "Map",
            "description": "Twice.",
            "discussions": [
                {"individual_note": True, "notes": [note(1, "I see it too.")]},
                {
                    "individual_note": False,
                    "notes": [
                        note(2, "Why `int`?", position={"new_path": "src/Map.cc"}),
                        note(3, "Fixed."),
                        note(4, "Thanks."),
                    ],
                },
                {"notes": "odd"},
                "odd",
            ],
        }
    )

    assert path_of(found, "I see it too.") == ("Comment by Ada Kroll, 2026-03-04",)
    first = "Comment by Ada Kroll on src/Map.cc, 2026-03-04"
    assert path_of(found, "Why int?") == (first,)
    assert path_of(found, "Fixed.") == (first, "Reply by Ada Kroll, 2026-03-04")
    assert path_of(found, "Thanks.") == (first, "Reply by Ada Kroll, 2026-03-04")
    assert [section.anchor for section in found.sections[1:]] == [f"note_{n}" for n in range(1, 5)]


def test_what_only_members_read_and_what_gitlab_notes_itself_is_left_out():
    found = document(
        {
            "iid": 7,
            "title": "Map",
            "description": "Twice.",
            "notes": [note(9, "The password is swordfish.", internal=True)],
            "discussions": [
                {
                    "notes": [
                        note(1, "assigned to @ada", system=True),
                        note(2, "Only for us.", internal=True),
                        note(3, "For us too.", confidential=True),
                        note(4, "For all.", internal=False, confidential=False),
                    ]
                }
            ],
        }
    )

    assert texts(found)[1:] == [
        "Twice.",
        "Comment by Ada Kroll, 2026-03-04",
        "For all.",
    ]


def test_a_release_says_its_tag_and_day():
    (found,) = parse(
        page(
            json.dumps(
                {
                    "tag_name": "v3.1",
                    "name": "Compass 3.1",
                    "description": "## Fixes\n\nThe map is applied once.",
                    "created_at": "2026-08-30T10:00:00Z",
                    "released_at": "2026-09-01T10:00:00Z",
                    "author": {"name": "Ada Kroll"},
                    "milestones": [{"title": "3.1"}],
                    "web_url": "https://git.example/p/-/releases/v3.1",
                }
            ),
            "gitlab:12/releases/v3.1",
            "gitlab",
        )
    )

    assert (found.title, found.author) == ("Release Compass 3.1 (v3.1)", "Ada Kroll")
    assert found.url == "https://git.example/p/-/releases/v3.1"
    assert found.updated_at == datetime(2026, 9, 1, 10, tzinfo=UTC)
    assert texts(found) == [
        "field | value\nrelease | Compass 3.1\ntag | v3.1\nreleased | 2026-09-01\nmilestones | 3.1",
        "Fixes",
        "The map is applied once.",
    ]


def test_a_release_without_a_name_is_called_by_its_tag():
    found = document({"releases": [{"tag_name": "v2", "name": None, "description": None}]})

    assert (found.title, found.id) == ("Release v2", "gitlab:12/issues/7#release-v2")
