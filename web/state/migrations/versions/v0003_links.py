"""Accounts of other services are linked with users; sessions lose a token that nothing read."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_links_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("service", "external_id", name="pk_links"),
    )
    op.create_index("ix_links_user_id", "links", ["user_id"])
    op.create_table(
        "link_codes",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_link_codes"),
    )
    op.create_index("ix_link_codes_expires_at", "link_codes", ["expires_at"])
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("csrf")


def downgrade() -> None:
    op.add_column("sessions", sa.Column("csrf", sa.Text(), nullable=True))
    sessions = sa.table("sessions", sa.column("csrf"))
    op.execute(sessions.update().values(csrf=""))
    with op.batch_alter_table("sessions") as batch:
        batch.alter_column("csrf", existing_type=sa.Text(), nullable=False)
    op.drop_table("link_codes")
    op.drop_table("links")
