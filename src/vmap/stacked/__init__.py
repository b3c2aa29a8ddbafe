"""Networks, optimisers, schedulers and data of many models at once: the models are one more axis."""
