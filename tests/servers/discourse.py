"""A Discourse forum: categories with permissions, topics in pages, posts in chunks, keys.

    with DiscourseServer() as server:
        server.category(5, "computing", groups={"trigger_experts": 1})
        server.topic(7, 5, "How to renew the proxy?", ["<p>It expired.</p>"])

The key speaks for an administrator, who also sees whispers, unlisted topics and deleted ones.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import Answer, Request, Server, json_answer

KEY, USER = "k3y", "docent"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHUNK = 20


class DiscourseServer(Server):
    """State lies in `categories` and `topics`; change it between runs."""

    def __init__(
        self, *, login_required: bool | None = False, per_page: int = 0, lazy: bool = False
    ) -> None:
        super().__init__()
        self.login_required = login_required
        self.per_page = per_page
        """What the server gives a page, whatever is asked for; 0: as asked."""
        self.lazy = lazy
        self.admin = True
        self.categories: dict[int, dict[str, Any]] = {}
        self.permissions: dict[int, dict[str, int]] = {}
        self.topics: dict[int, dict[str, Any]] = {}
        self._moment = START
        self._posts = 1000

    def category(
        self, number: int, slug: str, parent: int = 0, groups: dict[str, int] | None = None
    ) -> None:
        """Set or change a category; without groups everyone reads it."""
        self.permissions[number] = groups or {}
        self.categories[number] = {
            "id": number,
            "name": slug.capitalize(),
            "slug": slug,
            "read_restricted": groups is not None,
            **({"parent_category_id": parent} if parent else {}),
        }

    def topic(self, number: int, category: int, title: str, posts: list[str], **more: Any) -> None:
        """Set a topic whose posts have this HTML."""
        self.topics[number] = {
            "id": number,
            "title": title,
            "slug": title.lower().replace(" ", "-").strip("?"),
            "category_id": category,
            "archetype": "regular",
            "visible": True,
            "closed": False,
            "archived": False,
            "pinned": False,
            "pinned_globally": False,
            "tags": [],
            "created_at": "",
            "bumped_at": "",
            "deleted_at": None,
            "posts": [],
            **more,
        }
        for cooked in posts:
            self.reply(number, cooked)
        topic = self.topics[number]
        topic["created_at"] = topic["posts"][0]["created_at"] if posts else self._now()

    def reply(self, number: int, cooked: str, **more: Any) -> int:
        """Add a post, which bumps the topic; its number."""
        topic = self.topics[number]
        self._posts += 1
        place, now = len(topic["posts"]) + 1, self._now()
        post = {
            "id": self._posts,
            "post_number": place,
            "post_type": 1,
            "username": f"user{place}",
            "name": f"User {place}",
            "created_at": now,
            "updated_at": now,
            "cooked": cooked,
            "hidden": False,
            "deleted_at": None,
            "user_deleted": False,
            "reads": 3,
            **more,
        }
        topic["posts"].append(post)
        topic["bumped_at"] = now
        return place

    def solve(self, number: int, post: int) -> None:
        """Accept a post as the solution; the topic is not bumped by that."""
        said = self.topics[number]["posts"][post - 1]
        said["accepted_answer"] = True
        self.topics[number]["accepted_answer"] = {
            "post_number": post,
            "username": said["username"],
        }

    def trash(self, number: int) -> None:
        """Delete a topic, as moderators do: administrators still get it."""
        self.topics[number]["deleted_at"] = self._now()

    def answer(self, request: Request) -> Answer:
        """As the interface documents it."""
        if request.headers.get("api-key") != KEY or request.headers.get("api-username") != USER:
            return _refused("invalid_access", 403)
        path = request.path.removesuffix(".json").strip("/")
        match path.split("/"):
            case ["site"]:
                return json_answer(self._site())
            case ["site", "basic-info"] if self.login_required is not None:
                return json_answer({"title": "Forum", "login_required": self.login_required})
            case ["site", "basic-info"]:
                return json_answer({"title": "Forum"})
            case ["categories"]:
                return json_answer(self._category_list(int(request.query.get("page", 1))))
            case ["c", number, "show"]:
                return self._show(int(number))
            case ["latest"]:
                return self._latest(request, set(self.categories))
            case ["c", *slugs, number, "l", "latest"]:
                return self._category_latest(request, slugs, int(number))
            case ["t", number]:
                return self._topic(int(number))
            case ["t", number, "posts"]:
                return self._some_posts(request, int(number))
        return _refused("not_found", 404)

    def _now(self) -> str:
        self._moment += timedelta(hours=1)
        return self._moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _counted(self, number: int) -> dict[str, Any]:
        there = [t for t in self.topics.values() if t["category_id"] == number]
        count = sum(not topic["deleted_at"] and topic["visible"] for topic in there)
        return {**self.categories[number], "topic_count": count}

    def _site(self) -> dict[str, Any]:
        shown = [] if self.lazy else [self._counted(number) for number in self.categories]
        lazy = {"lazy_load_categories": True} if self.lazy else {}
        return {"default_archetype": "regular", "categories": shown, **lazy}

    def _category_list(self, page: int) -> dict[str, Any]:
        top = [n for n, c in self.categories.items() if "parent_category_id" not in c]
        listed = []
        for number in top[page - 1 : page]:
            below = [
                self._counted(n)
                for n, c in self.categories.items()
                if c.get("parent_category_id") == number
            ]
            listed.append({**self._counted(number), "subcategory_list": below})
        return {"category_list": {"can_create_category": False, "categories": listed}}

    def _show(self, number: int) -> Answer:
        if number not in self.categories:
            return _refused("not_found", 404)
        shown = self._counted(number)
        if self.admin:
            given = self.permissions[number] or {"everyone": 1}
            shown["group_permissions"] = [
                {"permission_type": kind, "group_name": name} for name, kind in given.items()
            ]
        return json_answer({"category": shown})

    def _category_latest(self, request: Request, slugs: list[str], number: int) -> Answer:
        line = self._line(number)
        right = [self.categories[step]["slug"] for step in reversed(line)]
        if slugs != right:
            place = request.target.replace("/".join(slugs), "/".join(right))
            return Answer("", 301, headers={"Location": place})
        return self._latest(request, {n for n in self.categories if number in self._line(n)})

    def _line(self, number: int) -> list[int]:
        line = [number]
        while parent := self.categories[line[-1]].get("parent_category_id"):
            line.append(parent)
        return line

    def _latest(self, request: Request, categories: set[int]) -> Answer:
        size = self.per_page or int(request.query.get("per_page", 30))
        page = int(request.query.get("page", 0))
        topics = [
            topic
            for topic in self.topics.values()
            if topic["category_id"] in categories
            and not topic["deleted_at"]
            and topic["archetype"] != "private_message"
        ]
        topics.sort(key=lambda topic: topic["bumped_at"], reverse=True)
        topics.sort(key=lambda topic: not topic["pinned_globally"])
        shown = [self._item(topic) for topic in topics[page * size : (page + 1) * size]]
        listed = {"per_page": size, "topics": shown, "can_create_topic": True}
        if len(topics) > (page + 1) * size:
            listed["more_topics_url"] = f"/latest?no_definitions=true&page={page + 1}"
        return json_answer({"users": [], "topic_list": listed})

    def _item(self, topic: dict[str, Any]) -> dict[str, Any]:
        left_out = {"posts", "accepted_answer", "deleted_at"}
        item = {key: value for key, value in topic.items() if key not in left_out}
        count = len(topic["posts"])
        item |= {"posts_count": count, "highest_post_number": count, "views": len(self.requests)}
        return item | {"has_accepted_answer": "accepted_answer" in topic}

    def _topic(self, number: int) -> Answer:
        topic = self.topics.get(number)
        if topic is None:
            return _refused("not_found", 404)
        value = {key: value for key, value in topic.items() if key not in ("posts", "bumped_at")}
        stream = {
            "posts": topic["posts"][:CHUNK],
            "stream": [post["id"] for post in topic["posts"]],
        }
        last = topic["posts"][-1]["created_at"] if topic["posts"] else None
        value |= {"post_stream": stream, "views": len(self.requests), "last_posted_at": last}
        return json_answer({**value, "chunk_size": CHUNK})

    def _some_posts(self, request: Request, number: int) -> Answer:
        wanted = parse_qs(urlsplit(request.target).query).get("post_ids[]", [])
        posts = [p for p in self.topics[number]["posts"] if str(p["id"]) in wanted]
        return json_answer({"id": number, "post_stream": {"posts": posts}})


def _refused(kind: str, status: int) -> Answer:
    told = {"errors": ["You are not permitted to view that."], "error_type": kind}
    return Answer(json.dumps(told), status, "application/json")
