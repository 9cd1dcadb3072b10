"""The reports' tables trained again: which trainings, where they run, and what is printed beside the papers."""
