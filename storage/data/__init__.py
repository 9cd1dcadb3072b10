"""Data sets: files, layouts, outliers, the split, and synthetic ones."""
