"""A Hydra and Lightning template for many small experiments on why non-linearity matters."""
