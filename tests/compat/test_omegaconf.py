"""OmegaConf's own way to write strings."""

import yaml
from omegaconf import OmegaConf

from tests.compat.parts import part_of


def test_the_dumper_is_that_of_to_yaml() -> None:
    values = {"text": "a", "number": "1e3", "truth": "on", "empty": "", "nested": [1, 2.5, None, "0x1F"]}
    with part_of("omegaconf", "omegaconf"):
        from src.compat.omegaconf import yaml_dumper

        text = yaml.dump(values, Dumper=yaml_dumper(), default_flow_style=False, allow_unicode=True, sort_keys=False)
        assert text == OmegaConf.to_yaml(OmegaConf.create(values))
        assert "number: '1e3'" in text
        assert callable(yaml_dumper().str_representer)
