"""Parameters of a class or function, read from its source."""

import inspect

import pytest

from src.config.errors import ConfigError
from src.config.signature import parameters


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("toy.base.Base", ("noise", "n_samples")),
        ("toy.Plain", ("noise", "n_samples")),
        ("toy.Dotted", ("noise", "n_samples")),
        ("toy.Base", ("noise", "n_samples")),
        ("toy.build", ("x",)),
        ("toy.Own", ("a", "b", "c")),
        ("toy.Starred", ("z",)),
        ("toy.conditional", ("x",)),
        ("toy.Nothing", ()),
    ],
)
@pytest.mark.usefixtures("toy")
def test_parameters_follow_bases_and_imports(target: str, names: tuple[str, ...]) -> None:
    assert parameters(target) == names


@pytest.mark.parametrize(
    "target",
    [
        "toy.Anything",
        "toy.TwoInits",
        "toy.FromDict",
        "toy.New",
        "toy.Lost",
        "toy.Data",
        "toy.alias",
        "toy.Own.method",
        "toy.fast.Compiled",
        "toy.lazy.Name",
        "not_installed_anywhere.Thing",
        "math.sqrt",
    ],
)
@pytest.mark.usefixtures("toy")
def test_parameters_are_unknown_where_the_source_does_not_tell(target: str) -> None:
    assert parameters(target) is None


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("toy.base.Bsae", r"toy.base.Bsae does not exist, toy.base has no Bsae; did you mean Base\?"),
        ("toy.bsae.Base", r"toy has no bsae; did you mean base\?"),
        ("toy.lazy", "toy.lazy is a module"),
        ("torch.optim.sgd.SDG", r"did you mean SGD\?"),
        ("torch.optim.sdg.SGD", r"did you mean sgd\?"),
        ("torch.optm.sgd.SGD", r"torch has no optm; did you mean optim\?"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_target_that_does_not_exist_is_named_with_the_nearest(target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parameters(target)


def test_real_signatures_agree_with_inspect() -> None:
    from lightning.pytorch.callbacks.early_stopping import EarlyStopping
    from lightning.pytorch.trainer.trainer import Trainer
    from torch import nn, optim

    known = [Trainer, EarlyStopping, optim.SGD, optim.Adam, optim.lr_scheduler.StepLR, nn.HuberLoss, nn.ReLU]
    for each in known:
        names = tuple(inspect.signature(each).parameters)
        assert parameters(f"{each.__module__}.{each.__qualname__}") == names
    assert parameters("torch.optim.SGD") == parameters("torch.optim.sgd.SGD")
    assert parameters("torch.nn.L1Loss") == parameters("torch.nn.modules.loss.L1Loss")
