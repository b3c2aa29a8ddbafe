"""What this project needs of other packages and they keep to themselves: a module for each package.

A module says what it reaches for, which public ways were weighed, and why none will do; a release of the package may
move it without notice. Nothing else in `src` or `hydra_plugins` touches a private part (ruff's SLF001 and TID251 see to
that), and tests/compat names the package, its version and the module here once a part is gone.

Beside them `quiet`, which keeps what Lightning says on its own out of what a run prints.

The lowest layer: everything may import it, and it imports nothing of this project. A module loads its own package
alone, so that what composes, launches or reads stays free of torch.
"""
