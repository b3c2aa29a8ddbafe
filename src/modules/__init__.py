"""LightningModules that train by themselves, with the data they come with: plain Lightning, nothing of this project."""
