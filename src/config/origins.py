"""Composing in a folder of YAML files, and where in them or on the command line a key of the result stands."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from src.config import folders
from src.config.resolvers import register_resolvers


@contextmanager
def hydra_at(conf_dir: Path) -> Iterator[None]:
    """Initialise Hydra for a folder of YAML files, and put back what was initialised before, the version too."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.utils import JobRuntime
    from hydra.version import VersionBase

    from src.compat.hydra import version_base

    register_resolvers()
    base = VersionBase.instance()
    version: Any = base.getbase()
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    name = JobRuntime.instance().get("name")
    try:
        with initialize_config_dir(str(conf_dir), job_name=name, **version_base()):
            yield
    finally:
        GlobalHydra.instance().hydra = before
        # a plain object where nobody has asked for one
        if type(version) is not object and version is not None:
            base.setbase(version)


class Origins:
    """Tells where in the command line or the YAML files a key stands; reads them on first use only.

    Args:
        overrides: Overrides from the command line.
        conf_dir: Folder of the YAML files.
        config_name: Root file in ``conf_dir``.
    """

    def __init__(self, overrides: Sequence[str], conf_dir: Path, config_name: str) -> None:
        self._overrides = overrides
        self._conf_dir = conf_dir
        self._config_name = config_name

    def find(self, key: str) -> str:
        """Give the place in brackets, or nothing if it is unknown."""
        places = [f"command line: {line}" for line in self._overrides if self._sets(line, key)]
        if not places:
            places = self._in_files(key)
        if not places:
            # what is missing belongs where its neighbours stand
            above = (key.rsplit(".", n)[0] for n in range(1, key.count(".") + 1))
            places = next((found for each in above if (found := self._in_files(each))), [])
        # the last one wins where several set the same key
        return f" ({places[-1]})" if places else ""

    def _in_files(self, key: str) -> list[str]:
        return [place for file, package in self._files if (place := self._place(file, package, key))]

    def _sets(self, line: str, key: str) -> bool:
        """Tell whether an override gives `key` a value, itself, by a mapping around it, or by a key below it."""
        name, _, value = line.lstrip("+~").partition("=")
        if folders.is_group(self._conf_dir, name) and not value.startswith("{"):
            return False
        around = key.startswith(f"{name}.") and key.removeprefix(f"{name}.").split(".")[0] in value
        return key == name or around or name.startswith(f"{key}.")

    @cached_property
    def _files(self) -> list[tuple[Path, str]]:
        """YAML files that make up the configuration, each with the key under which its content stands."""
        from hydra.core.global_hydra import GlobalHydra
        from hydra.errors import HydraException
        from hydra.types import RunMode

        try:
            with hydra_at(self._conf_dir):
                loader = GlobalHydra.instance().config_loader()
                overrides = folders.with_search_path(self._overrides)
                found = loader.compute_defaults_list(self._config_name, overrides, RunMode.RUN).defaults
        # also where a group is given what is no option, which Hydra answers with a ValueError
        except (HydraException, ValueError):
            return []
        files = [(folders.find(self._conf_dir, str(default.config_path)), default.package or "") for default in found]
        return [(file, package) for file, package in files if file is not None]

    def _place(self, file: Path, package: str, key: str) -> str | None:
        if package == key:
            return folders.shown(file, self._conf_dir)
        if package and not key.startswith(f"{package}."):
            return None
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        line = 0
        for part in key.removeprefix(f"{package}.").split("."):
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            match = next((pair for pair in pairs if pair[0].value == part), None)
            if match is None:
                return None
            line, node = match[0].start_mark.line + 1, match[1]
        return f"{folders.shown(file, self._conf_dir)}, line {line}"
