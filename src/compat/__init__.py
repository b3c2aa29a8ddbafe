"""Private parts of other packages that cannot be avoided, each in one small module."""
