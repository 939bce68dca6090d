"""Steps from each schema that a released botprobe made to today's (Alembic)."""
