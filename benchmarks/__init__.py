"""What README claims about speed, measured; `python -m benchmarks.run` does it all."""
