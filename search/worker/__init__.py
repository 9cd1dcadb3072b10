"""The worker: a process that owns one device and trains what its host sends."""
