"""The answer that the pages of optuna-dashboard poll for."""
