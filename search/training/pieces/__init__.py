"""Pieces of images: random crops to learn from, and windows that slide over a whole image to judge it."""
