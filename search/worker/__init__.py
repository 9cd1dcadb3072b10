"""The worker: a process that owns one device and trains the jobs of its host."""
