"""Toy problems, a file each; beside them stand the notebook's: `src.data.circles`, `src.data.blobs`, `src.data.line`.

What they share, draws, split and sizes of classes, is in `src.data.drawn`.
"""
