"""How good a data set is: what is contaminated, equal or far off, and the one report on it."""
