"""The schema's history, a module a step; NEWEST holds the last one's name, so that two made side by side conflict."""
