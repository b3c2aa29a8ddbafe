"""What OmegaConf moves: writing strings to YAML, which words of YAML it takes for numbers, registering resolvers.

Before 2.4 the public `OmegaConf.to_yaml` writes by PyYAML's slow dumper, in four times the time that libyaml's takes,
and `OmegaConf.load` reads by the slow loader, in ten times the time. Files have to stay the same, byte for byte,
whichever writes them: strings that look like numbers stand in quotes, and which do is known to OmegaConf alone.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import yaml
from omegaconf import AnyNode, DictConfig, ListConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper


def register_resolver(name: str, function: Callable[[], Any]) -> None:
    """Let configurations call a function as ``${name:}``, once for each of them."""
    # deprecated from 2.4 on, for one of a name that meant another before
    register: Any = OmegaConf.register_new_resolver
    if "use_cache" in inspect.signature(OmegaConf.register_resolver).parameters:
        register = OmegaConf.register_resolver
    register(name, function, use_cache=True, replace=True)


def yaml_dumper() -> type[Any]:
    """The dumper of `OmegaConf.to_yaml`; its ``str_representer`` puts the quotes."""
    dumper: type[Any] = get_omega_conf_dumper()
    return dumper


@functools.cache
def yaml_loader() -> type[Any]:
    """The loader of `OmegaConf.load`, a safe one, with libyaml's parser where PyYAML has it."""
    # moved in 2.4, which also counts what aliases expand to; whoever reads here has limits of his own
    home = importlib.import_module("omegaconf._yaml" if find_spec("omegaconf._yaml") else "omegaconf._utils")
    limit = dict.fromkeys(inspect.signature(home.get_yaml_loader).parameters)
    slow: type[Any] = home.get_yaml_loader(**limit)
    if not yaml.__with_libyaml__:
        return slow
    from yaml.constructor import SafeConstructor
    from yaml.cyaml import CParser  # type: ignore[attr-defined] # not among the names that its stubs let out
    from yaml.resolver import Resolver

    if issubclass(slow, CParser):
        return slow

    class Loader(CParser, slow):  # type: ignore[misc] # a class that is made at run time
        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return Loader


def takes_anything(tree: DictConfig, path: Sequence[str]) -> bool:
    """Whether there is a value without a type of its own at a path, which an override can replace as it is.

    By no public way: those resolve what they come past, and take a millisecond.
    """
    node: Any = tree
    for part in path:
        # a class gives its fields their types
        if not isinstance(node, DictConfig) or node._metadata.object_type not in (None, dict) or part not in node:
            return False
        node = node._get_node(part)
        if isinstance(node, DictConfig | ListConfig) and (node._is_none() or node._is_interpolation()):
            return False
    return type(node) in (AnyNode, ListConfig)
