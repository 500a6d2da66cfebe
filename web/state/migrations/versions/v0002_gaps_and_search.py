"""Unanswered questions get a table; titles and messages are searched in folded text.

`LIKE` knows the case of ASCII letters only (SQLite) or those of the server's locale (PostgreSQL);
so the text is folded here, in Python, as `web.state.rows.fold` did when this step was written.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BATCH = 1000


def upgrade() -> None:
    op.create_table(
        "gaps",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("nearest", sa.JSON(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_gaps_user_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    op.create_index("ix_gaps_at", "gaps", ["at"])
    op.create_index("ix_gaps_user_id", "gaps", ["user_id"])
    op.create_index("ix_gaps_state_at", "gaps", ["state", "at"])
    for table, text in (("conversations", "title"), ("messages", "text")):
        op.add_column(table, sa.Column("folded", sa.Text(), nullable=True))
        _fill(table, text)
        with op.batch_alter_table(table) as batch:
            batch.alter_column("folded", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    for table in ("messages", "conversations"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("folded")
    op.drop_table("gaps")


def _fill(name: str, text: str) -> None:
    connection = op.get_bind()
    table = sa.table(name, sa.column("id"), sa.column(text), sa.column("folded"))
    unfilled = sa.select(table.c.id, table.c[text]).where(table.c.folded.is_(None)).limit(BATCH)
    fill = (
        sa.update(table).where(table.c.id == sa.bindparam("row")).values(folded=sa.bindparam("by"))
    )
    while rows := connection.execute(unfilled).all():
        connection.execute(fill, [{"row": row[0], "by": _folded(row[1])} for row in rows])


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
