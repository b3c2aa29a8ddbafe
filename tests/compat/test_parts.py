"""The message where a library has moved a part."""

import importlib
import re
import sys
from importlib.metadata import version

import omegaconf._utils
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import OmegaConf

from src.compat.hydra import apply_overrides
from tests.compat.parts import part_of


def test_a_part_that_is_gone_is_named_with_its_package_and_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ConfigLoaderImpl, "_apply_overrides_to_config")
    told = rf"hydra-core {re.escape(version('hydra-core'))} has moved.*_apply_overrides_to_config.*src/compat/hydra\.py"
    with pytest.raises(pytest.fail.Exception, match=told), part_of("hydra-core", "hydra"):
        apply_overrides(OmegaConf.create({}), [])


def test_an_import_that_fails_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(omegaconf._utils, "get_omega_conf_dumper")
    monkeypatch.delitem(sys.modules, "src.compat.omegaconf", raising=False)
    told = r"omegaconf .*get_omega_conf_dumper.*; see src/compat/omegaconf\.py"
    with pytest.raises(pytest.fail.Exception, match=told), part_of("omegaconf", "omegaconf"):
        importlib.import_module("src.compat.omegaconf")
