"""What is measured of a trained network, each on one made for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from src.data.base import Part
from src.hints.facts import balanced_accuracy, dead_relus, facts_of, is_affine, line_accuracy, moved, squashed, tenths
from src.hints.rules import hints
from src.models.activations import HandmadeSigmoid
from src.models.mlp import MLP
from tests.tasks.runs import classes_spec, random_parts
from tests.tasks.test_metrics import make


class Odd(nn.Module):
    """Bends to both sides alike."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))


class Squares(nn.Module):
    """Bends without a module that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x * x)
        return y


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (MLP(in_features=2, hidden=[], out_features=1, activation="relu"), True),
        (MLP(in_features=2, hidden=[64, 64, 64], out_features=3, activation="identity"), True),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="relu"), False),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="tanh"), False),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="leaky_relu"), False),
        (Squares(), False),
        (Odd(), False),
        (nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1)), True),
        (MLP(in_features=2, hidden=[8, 8], out_features=1, activation="identity").to(torch.bfloat16), True),
    ],
)
def test_a_network_is_linear_if_it_answers_in_straight_lines(net: nn.Module, expected: bool) -> None:  # noqa: FBT001
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    assert is_affine(net, x) == expected


def test_dead_units_are_those_that_never_fire() -> None:
    net = MLP(in_features=2, hidden=[4, 3], out_features=1, activation=["relu", "handmade_relu"])
    first, second = (module for module in list(net.layers)[:3] if isinstance(module, nn.Linear))
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
        first.bias.copy_(torch.tensor([0.0, 0.0, -1.0, 1.0]))
        second.weight.fill_(1.0)
        second.bias.fill_(-1e3)
    part = Part(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2))
    # the first two fire at one point each, the third nowhere, the fourth everywhere; nothing reaches the next layer
    assert list(dead_relus(net, part)) == [("layer 1", 1, 4), ("layer 2", 3, 3)]
    assert list(dead_relus(MLP(in_features=2, hidden=[4], out_features=1, activation="tanh"), part)) == []
    # layers are counted as pictures count them, and a network of one's own names its modules
    net = MLP(in_features=2, hidden=[4, 3], out_features=1, activation=["identity", "relu"], norm="layer", dropout=0.1)
    assert [layer.name for layer in dead_relus(net, part)] == ["layer 2"]
    own = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [layer.name for layer in dead_relus(own, part)] == ["1"]


def test_line_accuracy_is_that_of_the_best_line() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 2, generator=generator)
    assert line_accuracy(Part(x, (x[:, 0] > 0.1).long())) > 0.95
    assert line_accuracy(Part(x, (x.norm(dim=1) > 1.2).long())) < 0.65


def test_moved_is_a_distance_in_lengths_of_the_first_weights() -> None:
    first = [torch.tensor([3.0, 0.0]), torch.tensor([4.0])]
    assert moved(first, first) == 0
    assert moved(first, [torch.tensor([3.0, 1.0]), torch.tensor([4.0])]) == pytest.approx(0.2)
    assert moved([torch.zeros(2)], [torch.ones(2)]) == float("inf")


class Squashing(nn.Module):
    """Ends in a function, perhaps in another form."""

    def __init__(self, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(2, 3), last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(x))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (torch.sigmoid, "sigmoid"),
        (nn.Sigmoid(), "sigmoid"),
        (HandmadeSigmoid(), "sigmoid"),
        (nn.functional.hardsigmoid, "sigmoid"),
        (lambda x: torch.softmax(x, 1), "softmax"),
        (lambda x: torch.sigmoid(x).view(-1, 1).squeeze(1).unsqueeze(1).t(), "sigmoid"),
        (lambda x: torch.sigmoid(x) * 4 - 2, None),
        # no harm: it gives out what may stand for logits
        (lambda x: torch.log_softmax(x, 1), None),
        (nn.functional.logsigmoid, None),
        (torch.tanh, None),
        (torch.relu, None),
        (nn.Identity(), None),
        (torch.detach, None),
    ],
)
def test_a_network_is_squashed_if_that_is_the_last_that_it_does(
    last: Callable[[Tensor], Tensor], expected: str | None
) -> None:
    net = Squashing(last).train()
    assert squashed(net, torch.randn(5, 2)) == expected
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([(epoch, 100.0 - epoch) for epoch in range(100)], (15.5, 5.5)),
        # of rows that are not as frequent, those that lie in the tenths
        ([(epoch, float(epoch)) for epoch in range(9, 1000, 10)], (854.0, 954.0)),
        ([(epoch, 1.0) for epoch in range(40)], None),
        ([(99, 1.0)], None),
        ([], None),
    ],
)
def test_tenths_are_means_over_the_last_epochs(
    course: list[tuple[int, float]], expected: tuple[float, float] | None
) -> None:
    assert tenths(course) == expected


LOSSES = {"exploded": (0.7, 2.0), "stuck": (0.7, 0.699), "fallen": (0.7, 0.2)}
NETS = {"relu": ([4], "relu"), "dead": ([4], "relu"), "line": ([], "relu"), "tanh": ([4], "tanh")}


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("accuracy", [0.5, 0.95])
@pytest.mark.parametrize("n_steps", [10, 1000])
@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("name", NETS)
def test_what_is_not_looked_at_would_change_no_hint(
    name: str, losses: tuple[float, float], n_steps: int, accuracy: float, *, squash: bool
) -> None:
    torch.manual_seed(0)
    spec = classes_spec(2, 2)
    hidden, activation = NETS[name]
    net: nn.Module = MLP(in_features=2, hidden=hidden, out_features=1, activation=activation)
    if name == "dead":
        for parameter in net.parameters():
            nn.init.constant_(parameter, -1)
    task, parts = make(spec, net=nn.Sequential(net, nn.Sigmoid()) if squash else net), random_parts(spec)
    first = [p.detach() * (1 + 1e-4) for p in task.net.parameters()]
    facts = facts_of(
        task,
        parts,
        first_weights=first,
        first_loss=losses[0],
        metrics={"train/loss": losses[1], "train/accuracy": accuracy},
        n_steps=n_steps,
        numbers={"lr": 0.1},
        suggested_lr=0.1,
        course=[],
    )
    all_facts = replace(
        facts,
        moved=moved(first, list(task.net.parameters())),
        balanced_accuracy=balanced_accuracy(task, parts.train) if accuracy == 0.5 else None,
        line_accuracy=line_accuracy(parts.train) if is_affine(task.net, parts.train.x) else None,
        relus=tuple(dead_relus(task.net, parts.train)),
        squashed=squashed(task.net, parts.train.x),
    )
    assert hints(facts) == hints(all_facts)


def test_what_a_network_ends_in_may_be_known_already() -> None:
    spec = classes_spec(2, 2)
    given = {"train/loss": 0.5, "train/accuracy": 0.8}
    facts = facts_of(
        make(spec),
        random_parts(spec),
        first_weights=[],
        first_loss=0.7,
        metrics=given,
        n_steps=10,
        numbers={"lr": 0.1},
        suggested_lr=0.1,
        course=[],
        ends_in=lambda: "softmax",
    )
    assert facts.squashed == "softmax"
