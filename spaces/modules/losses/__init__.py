"""Losses and their terms."""
