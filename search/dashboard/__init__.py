"""The service in the browser: optuna-dashboard over a view of the studies, a page of ours, and who may do what."""
