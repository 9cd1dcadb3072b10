"""Augmentation of a batch on its device."""
