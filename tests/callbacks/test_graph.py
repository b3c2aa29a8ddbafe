"""The network's graph: what it consists of, and that tracing leaves no trace."""

import logging
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from torch import Tensor, nn

from src.build import build
from src.callbacks.graph import network_graph
from src.callbacks.tensorboard import writers
from src.models.mlp import MLP
from tests.tasks.runs import generator_states, small

X = torch.ones(1, 2)


def mlp(activation: str | list[str] = "relu") -> MLP:
    return MLP(in_features=2, hidden=[4, 3], out_features=1, activation=activation)


def edges(graph: GraphDef) -> dict[str, list[str]]:
    return {node.name: list(node.input) for node in graph.node}


class Residual(nn.Module):
    """A layer that is called twice, beside a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(2))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(self.inner(self.inner(x))) + self.scale * x
        return y


class Branching(nn.Module):
    """Cannot be traced: the way depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x if x.sum() > 0 else -x)
        return y


def test_layers_stand_in_the_boxes_of_their_modules() -> None:
    graph = network_graph(mlp(), X)
    names = ["0_Linear", "1_ReLU", "2_Linear", "3_ReLU", "4_Linear"]
    chain = ["input", *(f"MLP/layers/{name}" for name in names), "output"]
    assert edges(graph) == dict(zip(chain, [[], *([name] for name in chain[:-1])], strict=True))
    layer = next(node for node in graph.node if node.name.endswith("2_Linear"))
    assert layer.op == "Linear"
    assert layer.attr["parameters"].s == b"weight [3, 4], bias [3]"
    assert [dim.size for dim in layer.attr["_output_shapes"].list.shape[0].dim] == [-1, 3]


def test_functions_stand_in_the_box_of_the_module_that_calls_them() -> None:
    graph = edges(network_graph(mlp("handmade_relu"), X))
    assert "MLP/layers/1_HandmadeReLU/where" in graph
    assert graph["MLP/layers/2_Linear"] == ["MLP/layers/1_HandmadeReLU/where"]


def test_a_layer_that_is_called_twice_stands_there_twice() -> None:
    graph = edges(network_graph(Residual(), X))
    assert graph["Residual/inner_2"] == ["Residual/inner"]
    assert graph["Residual/mul"] == ["Residual/scale", "input"]
    assert graph["output"] == ["Residual/add"]


def test_tracing_leaves_no_trace() -> None:
    net = Residual()
    net.dropout.eval()
    states, modes = generator_states(), [module.training for module in net.modules()]
    weights = [parameter.clone() for parameter in net.parameters()]
    network_graph(net, X)
    assert generator_states() == states
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(a, b) and a.grad is None for a, b in zip(net.parameters(), weights, strict=True))
    assert net(X).requires_grad


# importing TorchDynamo makes PyTorch call what it has deprecated itself
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.slow
def test_a_compiled_network_has_the_same_graph() -> None:
    net = mlp()
    before = edges(network_graph(net, X))
    net.compile()
    assert edges(network_graph(net, X)) == before


def graph_of(run_dir: Path) -> GraphDef:
    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    graph: GraphDef = events.Graph()
    return graph


def test_a_run_writes_its_graph_once(tmp_path: Path) -> None:
    overrides = ["logger=tensorboard", "callbacks=default", "optimizer.lr=0.1"]
    for max_epochs in (2, 4):
        built = build(small(*overrides, f"trainer.max_epochs={max_epochs}", run_dir=tmp_path))
        last = tmp_path / "checkpoints" / "last.ckpt"
        resume = last if last.is_file() else None
        built.trainer.fit(built.task, datamodule=built.datamodule, ckpt_path=resume, weights_only=True)
        for writer in writers(built.trainer):
            writer.close()
    assert "MLP/layers/2_ReLU" in edges(graph_of(tmp_path))
    assert sum(b"2_ReLU" in file.read_bytes() for file in (tmp_path / "tensorboard").glob("events*")) == 1


def test_a_network_that_cannot_be_traced_trains_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    built = build(small("logger=tensorboard", "callbacks=default", "trainer.max_epochs=2", run_dir=tmp_path))
    built.task.net = Branching()
    with caplog.at_level(logging.INFO, logger="src.callbacks.graph"):
        built.trainer.fit(built.task, datamodule=built.datamodule)
    assert "no graph for TensorBoard, since the network cannot be traced: symbolically traced" in caplog.text
    assert built.task.epoch == 1
