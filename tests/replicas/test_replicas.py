"""Two real servers on one real PostgreSQL: nobody loses a conversation, nobody reads yesterday."""

import asyncpg

from tests.replicas.ordeal import judged, ordeal

STREAMS = 10


async def test_a_death_a_generation_and_a_migration_lose_nothing(tmp_path, postgres):
    await _made(postgres("postgres"), "replicas")
    url = postgres("replicas")

    seen = await ordeal(tmp_path / "index", url, STREAMS)

    judged(seen)
    connection = await asyncpg.connect(url)
    kept = {
        row["answer_id"]: (row["question"], row["text"])
        for row in await connection.fetch(
            "SELECT a.id AS answer_id, a.text, q.text AS question FROM messages a "
            "JOIN messages q ON q.conversation_id = a.conversation_id AND q.position = 0 "
            "WHERE a.position = 1"
        )
    }
    lost = await connection.fetchval("SELECT count(*) FROM underway")
    await connection.close()
    for one in seen.all:
        if one.end == "answer":
            question, text = kept[one.data["answer_id"]]
            assert question == f"What is the threshold of part {one.part} in GeV?"
            assert text == one.data["answer"]
    # Only a question whose asker never heard that it was taken may be without an answer.
    assert lost <= sum(1 for one in seen.all if one.end != "answer")


async def _made(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
