"""What a sweep has found, for a paper: `table` as LaTeX, Markdown and CSV, `methods` in sentences, `write` to files.

Vector pictures are drawn by whoever calls, as those of the page are: matplotlib is loaded for nothing else.
"""
