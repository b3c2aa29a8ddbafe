"""Finished runs put to use: rebuilt with their preprocessing, on new points, as an estimator, as one file.

Axes: ``n`` rows, ``c`` columns, ``f`` features, ``k`` classes, ``o`` outputs.
"""
