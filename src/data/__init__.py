"""LightningDataModules over in-memory tensors."""
