"""Pictures: data and predictions in, a `matplotlib.figure.Figure` out."""
