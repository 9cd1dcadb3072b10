"""Optuna's storage of trials, made safe for many hosts and for answers that are lost."""
