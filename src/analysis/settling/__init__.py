"""When a sweep has enough seeds: a test that holds however often one looks, its verdict, and the file that keeps it."""
