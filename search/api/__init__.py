"""What Python and the command line have in common: a study in one's hands, and a trained network."""
