"""Command lines: how a function becomes one, what it may be told, what ends it, and what is said of a mistake."""
