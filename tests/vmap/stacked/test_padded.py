"""Networks of several widths as one compute what each computes by itself."""

import pytest
import torch
from torch import Tensor, nn

from src.data.spec import DataSpec
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.vmap.errors import NotStackedError
from src.vmap.stacked.draws import Draws
from src.vmap.stacked.layout import row_of, tensors_of
from src.vmap.stacked.network import StackedMLP
from src.vmap.stacked.padded import Frame, PaddedMLP

N, F, K = 7, 3, 2

# Widths and activations of one depth; neighbours share some of these.
NETS: dict[str, list[tuple[list[int], list[str]]]] = {
    "widths": [([4], ["relu"]), ([6], ["relu"]), ([1], ["relu"])],
    "activations": [([4], ["tanh"]), ([4], ["sigmoid"]), ([4], ["gelu"])],
    "both": [
        ([4, 5], ["relu", "identity"]),
        ([6, 2], ["relu", "handmade_sigmoid"]),
        ([1, 3], ["tanh", "identity"]),
        ([3, 3], ["identity", "leaky_relu"]),
    ],
    "merged": [([4, 5], ["identity", "identity"]), ([6, 2], ["identity", "relu"])],
    "all merged": [([4, 5], ["identity", "identity"]), ([6, 2], ["identity", "identity"])],
}


def task_of(hidden: list[int], activation: list[str]) -> Task:
    spec = DataSpec(task="binary", n_features=F, n_outputs=K, feature_names=("a", "b", "c"), class_names=("no", "yes"))
    net = MLP(in_features=F, hidden=hidden, out_features=K, activation=activation)
    return BinaryClassification(
        net=net,
        loss=nn.MSELoss(),
        optimizer=torch.optim.Adam,
        scheduler=None,
        spec=spec,
        log_every_n_epochs=None,
        eval_every_n_epochs=None,
        gradient_clip_val=None,
    )


def rows_of(tasks: list[Task], frame: Frame) -> Tensor:
    own = [row_of(frame.layout_of(task), tensors_of(task.net, task.loss)) for task in tasks]
    return torch.stack([frame.padded(task, row) for task, row in zip(tasks, own, strict=True)])


@pytest.mark.parametrize("has_own_data", [0, 1], ids=["shared", "own"])
@pytest.mark.parametrize("case", NETS)
def test_outputs_and_gradients_are_those_of_each_network(case: str, has_own_data: int) -> None:
    torch.manual_seed(0)
    tasks = [task_of(*each) for each in NETS[case]]
    frame = Frame(tasks)
    network = frame.network(tasks, {}, Draws([]))
    assert type(network) is PaddedMLP
    rows = rows_of(tasks, frame).requires_grad_()
    x = torch.randn(len(tasks) if has_own_data else 1, N, F)
    outputs = network(frame.layout.split(rows), network.inputs(x))
    (outputs**2).sum().backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    for i, task in enumerate(tasks):
        expected = task.net(x[i % len(x)])
        torch.testing.assert_close(outputs[i], expected)
        (expected**2).sum().backward()
        grad = torch.cat([p.grad.flatten() for p in task.net.parameters() if p.grad is not None])
        torch.testing.assert_close(frame.own(task, rows.grad[i]), grad)


def test_a_row_has_room_for_every_network() -> None:
    tasks = [task_of([4], ["relu"]), task_of([6], ["tanh"])]
    frame = Frame(tasks)
    assert [tuple(shape) for shape in frame.layout.trained.values()] == [(6, F), (6,), (K, 6), (K,)]
    rows, padding = rows_of(tasks, frame), frame.padding(tasks)
    assert padding is not None
    assert padding.sum(1).tolist() == [2 * F + 2 + K * 2, 0]
    assert not rows[padding].any()
    weight, _, out, _ = (tensors[0] for tensors in frame.layout.split(rows))
    torch.testing.assert_close(weight[:4], tasks[0].net.layers[0].weight.detach())  # type: ignore[union-attr,index] # an MLP
    torch.testing.assert_close(out[:, :4], tasks[0].net.layers[2].weight.detach())  # type: ignore[union-attr,index] # an MLP


def test_models_of_one_structure_are_not_padded() -> None:
    task = task_of([4, 5], ["identity", "relu"])
    frame = Frame([task, task])
    row = torch.arange(4.0)
    assert not frame.is_padded
    assert frame.padding([task, task]) is None
    assert frame.padded(task, row) is row
    assert frame.own(task, row) is row
    assert type(frame.network([task, task], {}, Draws([]))) is StackedMLP


def test_other_structures_are_refused() -> None:
    other = task_of([4], ["relu"])
    other.net = nn.Linear(F, K)
    for task in (other, task_of([4, 4], ["relu", "relu"])):
        with pytest.raises(NotStackedError, match="cannot be padded"):
            Frame([task_of([4], ["relu"]), task])
