"""Parameters of a class or function, read from its source."""

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from src.config.allowed import Made, Range, say
from src.config.errors import ConfigError
from src.config.signature import full_name, parameters, typed_parameters


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


# Annotations

TYPED = """
import typing as t
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union
from src.config.allowed import Range
from .others import Kind, Number as N, Thing

Few = Annotated[int, Range(low=1, high=3)]
Make: t.TypeAlias = Callable[[int], int]

class Colour(str, Enum): ...

class Typed:
    def __init__(
        self, first, a: int, b: "float | None", c: Optional[str] = None, *, d: t.Union[int, bool] = 1, e: Few,
        f: list[Few], g: tuple[float, float], h: tuple[int, ...], i: Sequence[str] | str, j: dict[str, int], k: Path,
        l: Literal["x", 1, None], m: Thing, n: Kind, o: N, p: Make, q: Any, r: Colour, s: Missing, t: type[Thing],
        u: Annotated[float, "a note", Range(low=0, open_low=True)], v: Annotated[int, range(3)], w: Iterable, **more,
    ): ...

def made(x: Few = 1, /, y: N = 2): ...
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "typed"
    package.mkdir()
    (package / "__init__.py").write_text(TYPED)
    (package / "others.py").write_text(
        "from typing import Literal, Union\nKind = Literal['a', 'b']\nNumber = Union[int, float]\nclass Thing: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("typed")
def test_annotations_are_read_through_aliases_and_imports() -> None:
    found = {name: each.hint for name, each in typed_parameters("typed.Typed").items()}
    few = Annotated[int, Range(low=1, high=3)]
    expected: dict[str, Any] = {
        **{"first": Any, "a": int, "b": float | None, "c": str | None, "d": int | bool, "e": few, "f": list[few]},
        **{"g": tuple[float, float], "h": list[int], "i": list[str] | str, "j": dict, "k": str, "m": Made},
        **{"l": Literal["x", 1, None], "n": Literal["a", "b"], "o": int | float, "p": Made, "q": Any, "r": Any},
        **{"s": Any, "t": Any, "u": Annotated[float, Range(low=0, open_low=True)], "v": int, "w": list},
    }
    assert found == expected


@pytest.mark.usefixtures("typed")
def test_what_has_no_default_is_required() -> None:
    found = typed_parameters("typed.Typed")
    assert [name for name, each in found.items() if not each.is_required] == ["c", "d"]
    # what is positional only cannot be given by name
    assert list(typed_parameters("typed.made")) == ["y"]
    assert typed_parameters("typed.Nothing") == typed_parameters("nowhere.Thing") == {}


def test_real_annotations_say_what_is_allowed() -> None:
    trainer = typed_parameters("lightning.pytorch.Trainer")
    assert say(trainer["precision"].hint).endswith("32-true, 64-true or bf16")
    adam = typed_parameters("torch.optim.Adam")
    assert [say(adam[name].hint) for name in ("lr", "betas", "amsgrad")] == [
        *("a number", "a list of 2 numbers", "true or false")
    ]
    assert full_name("torch.optim.Adam") == "torch.optim.adam.Adam"
    assert full_name("nowhere.Thing") == "nowhere.Thing"


def test_none_is_allowed_where_it_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "class Net: ...\ndef made(a: Net = None, b: int = 1, *, c: int = None, d: 'Net' = None, e=None): ...\n"
    (tmp_path / "sloppy.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    hints = {name: each.hint for name, each in typed_parameters("sloppy.made").items()}
    assert hints == {"a": Made | None, "b": int, "c": int | None, "d": Made | None, "e": Any}


def test_a_file_that_python_cannot_read_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cut_off.py").write_text("import math\nx = 1 +\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"cut_off\.py, line 2: .* cannot read cut_off"):
        parameters("cut_off.Net")
