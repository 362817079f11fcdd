"""The way to PostgreSQL: one gateway that counts statements, migrations, the change log, the embedded server."""
