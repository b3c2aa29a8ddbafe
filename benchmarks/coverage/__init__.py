"""Is what reports print as 95% right in 95%? Asked of results of this project, of which the truth is known.

``python -m benchmarks.coverage`` draws few runs from stored results of 2,000 runs each, as often as one likes, and
counts how often the functions of `src.analysis.stats` hold the truth, which is that of all 2,000:

- `collect` trains the runs and stores their metrics in tests/analysis/coverage.npz (``--collect``; half an hour),
- `results` reads them, `draws` draws seeds from them,
- `intervals`, `comparisons` and `folds` are the studies,
- `study` runs them all and keeps what they found in docs/measured/coverage.json (ten minutes),
- `page` and `picture` write that into docs/explanations/statistics.md and docs/pictures/coverage.png
  (``--docs`` alone: seconds).

No method was chosen by any of these results: methods were chosen on the made-up distributions of
tests/analysis/stats/shapes.py.
"""
