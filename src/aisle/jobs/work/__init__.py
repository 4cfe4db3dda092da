"""The work behind the kinds of jobs, one module a family; see `kinds` for the table."""
