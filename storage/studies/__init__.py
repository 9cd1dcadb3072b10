"""Studies in the database: their configuration, hosts, attempts, and who is alive."""
