"""Several real servers on one PostgreSQL and one index, while things happen to them."""
