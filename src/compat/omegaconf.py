"""A private part of OmegaConf: how it writes strings to YAML.

The public `OmegaConf.to_yaml` writes by PyYAML's slow dumper, in four times the time that libyaml's takes. Files have
to stay the same, byte for byte, whichever writes them: strings that look like numbers stand in quotes, and which do is
known to OmegaConf alone.
"""

from typing import Any

from omegaconf._utils import get_omega_conf_dumper


def yaml_dumper() -> type[Any]:
    """The dumper of `OmegaConf.to_yaml`; its ``str_representer`` puts the quotes."""
    dumper: type[Any] = get_omega_conf_dumper()
    return dumper
