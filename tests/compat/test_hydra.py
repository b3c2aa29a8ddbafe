"""Parts of Hydra that are not public do what they did."""

from collections.abc import Iterator
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at
from tests.compat.parts import part_of


@pytest.fixture(autouse=True)
def named() -> Iterator[None]:
    """A test that fails for lack of a part, imports included, says so."""
    with part_of("hydra-core", "hydra"):
        import src.compat.hydra  # noqa: F401
    with hydra_at(CONF_DIR):
        yield


def parsed(*overrides: str) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(overrides))


def composed(*overrides: str) -> DictConfig:
    loader = GlobalHydra.instance().config_loader()
    return loader.load_configuration("train", list(overrides), run_mode=RunMode.RUN)


def test_overrides_are_told_from_flags() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import overrides_of

        assert overrides_of(["seed=1", "-m", "--cfg", "job", "model=mlp", "--config-name=train"]) == [
            "seed=1",
            "model=mlp",
        ]


def test_the_default_sweeper_and_launcher_are_those_that_we_extend() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import BASIC_SWEEPER, BasicLauncher

        assert composed("hydra/sweeper=basic").hydra.sweeper._target_ == BASIC_SWEEPER
        name = f"{BasicLauncher.__module__}.{BasicLauncher.__qualname__}"
        assert composed().hydra.launcher._target_ == name
        assert issubclass(BasicLauncher, Launcher)


def test_a_grid_is_all_combinations_in_order() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import grid

        assert grid(parsed("a=1,2", "b=x", "~e", "~f=x", "c=range(0,2)")) == [
            [f"a={a}", "b=x", "~e", "~f=x", f"c={c}"] for a in (1, 2) for c in (0, 1)
        ]


def test_an_experiment_that_is_a_sweep_is_known_where_hydra_does_not_begin_one() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import has_unheard_mode, version_base

        # as from 1.4 on, which takes no version_base
        unheard = not version_base()
        assert has_unheard_mode("train", ["experiment=linear_vs_relu", "seed=0,1"]) is unheard
        assert not has_unheard_mode("train", ["experiment=linear_vs_relu", "hydra.mode=RUN"])
        assert not has_unheard_mode("train", ["seed=0,1"])
        assert not has_unheard_mode("train", ["experiment=nothing"])


def test_a_range_knows_what_its_values_are_cast_to() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import casts

        for text, expected in (("float(range(1,2))", "1.0"), ("int(range(1,2))", "1"), ("range(1,2)", "1")):
            swept: Any = parsed(f"a={text}")[0].value()
            (value,) = swept.range()
            for cast in casts(swept):
                value = cast(value)
            assert repr(value) == expected


def test_groups_are_told_from_keys() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import is_group

        assert is_group("model")
        assert is_group("hydra/launcher")
        assert not is_group("seed")
        assert not is_group("optimizer.lr")


def test_overrides_are_set_as_when_composing() -> None:
    values = ("optimizer.lr=0.5", "+optimizer.dampening=0.1", "~callbacks.pictures", "trainer={max_epochs:7}")
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import apply_overrides

        cfg, expected = composed(), composed(*values)
        apply_overrides(cfg, parsed(*values))
    for each in (cfg, expected):
        with open_dict(each):
            del each["hydra"]
    assert cfg == expected
    assert cfg.optimizer.lr == 0.5


def test_the_name_of_a_directory_is_made_of_the_overrides() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import override_dirname

        overrides = ("seed=7", "model=mlp")
        hydra, expected = composed().hydra, composed(*overrides)
        with open_dict(hydra):
            hydra.overrides.task = list(overrides)
            hydra.job.update(override_dirname(hydra.job, parsed(*overrides)))
        whole = OmegaConf.create({"hydra": hydra})
        assert whole.hydra.job.override_dirname == expected.hydra.job.override_dirname == "model=mlp,seed=7"


def test_state_goes_to_another_process_and_back() -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import restore, state

        before = state()
        GlobalHydra.instance().clear()
        assert not GlobalHydra.instance().is_initialized()
        restore(before)
        assert GlobalHydra.instance().is_initialized()
        # the resolvers as well
        instance: Any = HydraConfig.instance()
        instance.cfg = composed("seed=3")
        assert OmegaConf.create({"name": "${hydra:job.config_name}"}).name == "train"


def test_the_error_of_a_job_is_what_it_has_raised(capsys: pytest.CaptureFixture[str]) -> None:
    with part_of("hydra-core", "hydra"):
        from src.compat.hydra import error_of, failed

        returned = failed(["seed=1"], ArithmeticError("no"))
        error = error_of(returned)
    assert isinstance(error, ArithmeticError)
    assert (returned.status, returned.overrides) == (JobStatus.FAILED, ["seed=1"])
    assert capsys.readouterr().err == ""
    with pytest.raises(ArithmeticError, match="no"):
        _ = returned.return_value
    assert error_of(JobReturn(status=JobStatus.COMPLETED)) is None
