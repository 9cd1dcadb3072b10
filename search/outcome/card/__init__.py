"""The model card of a bundle, its README.md."""
