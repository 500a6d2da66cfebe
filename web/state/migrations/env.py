"""What Alembic runs; `web.state.migrate` hands it a connection that is in a transaction."""

from alembic import context

from web.state.rows import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can alter little in place: a table is copied instead.
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
