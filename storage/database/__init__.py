"""The database: how it is reached, what our tables are, how trouble with it is waited for."""
