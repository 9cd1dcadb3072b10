"""One module for each step of the schema's history; NEWEST names the last, so that two made side by side conflict."""
