"""Training one recipe: arrays in, one `Epoch` after another out; knows nothing of studies or databases."""
