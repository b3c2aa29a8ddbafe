"""Pictures: arrays and predict functions in, a `matplotlib.figure.Figure` out. Knows neither Lightning nor Hydra.

What all share: `palette` and `style`, colours, shapes, sizes and the PNG; `layout`, panels with title and legend;
`plane`, the plane of two features with class colours and points.
Of a classifier: `boundary`, `probabilities`, `confusion`. Of a regression: `regression`. Of hidden units: `units`,
`folds`. Of training: `curves`, `frames`. Of activation functions: `activations`.
"""
