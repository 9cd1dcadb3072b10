"""The pictures and tables of a trial and of a data set."""
