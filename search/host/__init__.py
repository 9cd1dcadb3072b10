"""The host: one process on a machine that works on a study, and its only client of the database."""
