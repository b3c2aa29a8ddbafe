"""Sweeps whose jobs are chosen by Optuna: hydra/sweeper=optuna."""
