"""LightningModules that wrap a network with its loss and its metrics."""
