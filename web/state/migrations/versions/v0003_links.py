"""Accounts of other services are linked with users; verified mail addresses are told apart.

Sessions lose a token that nothing read.
"""

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
    op.add_column("users", sa.Column("email_verified", sa.Boolean(), nullable=True))
    users = sa.table("users", sa.column("email_verified", sa.Boolean()))
    op.execute(users.update().values(email_verified=False))
    with op.batch_alter_table("users") as batch:
        batch.alter_column("email_verified", existing_type=sa.Boolean(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.drop_column("email_verified")
    op.add_column("sessions", sa.Column("csrf", sa.Text(), nullable=True))
    sessions = sa.table("sessions", sa.column("csrf"))
    op.execute(sessions.update().values(csrf=""))
    with op.batch_alter_table("sessions") as batch:
        batch.alter_column("csrf", existing_type=sa.Text(), nullable=False)
    op.drop_table("link_codes")
    op.drop_table("links")
