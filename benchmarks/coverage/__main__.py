"""``python -m benchmarks.coverage``; see the package."""

import argparse

from benchmarks.coverage import page, picture, study
from benchmarks.coverage.collect import collect

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--collect", action="store_true", help="train what is not stored yet, and store it")
    parser.add_argument("--docs", action="store_true", help="only write tables and picture again, of what was found")
    given = parser.parse_args()
    if given.collect:
        collect()
    elif not given.docs:
        study.write(study.run())
    if not given.collect:
        found = study.read()
        page.write(found)
        picture.write(found)
