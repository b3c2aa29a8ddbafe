"""The network as a graph that TensorBoard draws."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from torch import Tensor, fx, nn
from torch.utils.tensorboard import SummaryWriter

from src.callbacks.tensorboard import add_graph, writers
from src.tasks.base import Task
from src.tasks.training.modes import evaluating

log = logging.getLogger(__name__)


class ModelGraph(Callback):
    """Which layers and functions a network consists of, in the Graphs tab."""

    needs_task = True
    content_with_blocks = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it once; a run that goes on from a checkpoint has it already."""
        assert isinstance(pl_module, Task)
        if trainer.global_step == 0:
            x: Tensor = trainer.datamodule.parts.train.x[:1]  # type: ignore[attr-defined]  # the task has checked it
            add_network(writers(trainer), pl_module.net, x)


def add_network(open_writers: Sequence[SummaryWriter], net: nn.Module, x: Tensor) -> None:
    """Add the graph of a network, if it can be traced with an example (1, f) of its inputs."""
    if not open_writers:
        return
    try:
        graph = network_graph(net, x.to(next(net.parameters())))
    # whatever a network does with inputs that have no values yet, such as a branch that depends on them
    except Exception as error:
        log.info("no graph for TensorBoard, since the network cannot be traced: %s", str(error).split("\n")[0])
        return
    for writer in open_writers:
        add_graph(writer, graph)


class _Shapes(fx.Interpreter):
    """Notes the shape of what every node gives out.

    Walks the graph without a `fx.GraphModule`, whose source text PyTorch would keep for as long as the process lives.
    """

    def __init__(self, net: nn.Module, graph: fx.Graph) -> None:
        super().__init__(net, graph=graph)
        self.shapes: dict[str, list[int]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n.name] = list(result.shape)
        return result


def network_graph(net: nn.Module, x: Tensor) -> GraphDef:
    """Trace a network without `torch.jit`, which is deprecated, slow to start and cannot look into compiled ones.

    Leaves the network, its modes and the random generators as they are.

    Args:
        net: The network.
        x: An example (1, f) of its inputs, where it computes.

    Returns:
        A node per layer and function, in boxes that follow the names of the modules, with the shapes of its outputs.

    Raises:
        Exception: Whatever the network raises when its inputs have no values yet.
    """
    with evaluating(net), torch.no_grad(), torch.random.fork_rng():
        graph = fx.Tracer().trace(net)
        run = _Shapes(net, graph)
        run.run(x)
    names: dict[fx.Node, str] = {}
    for node in graph.nodes:
        names[node] = _unique(_name(node, net), names.values())
    return GraphDef(node=[_node(node, names, net, run.shapes.get(node.name)) for node in graph.nodes])


def _name(node: fx.Node, net: nn.Module) -> str:
    """Place of a node in the boxes; `a/b` is inside of box a."""
    if node.op in ("placeholder", "output"):
        return "input" if node.op == "placeholder" else "output"
    if node.op == "call_module":
        return _place(str(node.target), net)
    if node.op == "get_attr":
        module, _, own = str(node.target).rpartition(".")
        return f"{_place(module, net)}/{own}"
    inside = list(node.meta.get("nn_module_stack", {}))
    return f"{_place(inside[-1] if inside else '', net)}/{node.name}"


def _place(module: str, net: nn.Module) -> str:
    """Boxes around a module; one that has only a number for a name tells its class too."""
    boxes, path = [type(net).__name__], []
    for part in module.split(".") if module else ():
        path.append(part)
        kind = type(net.get_submodule(".".join(path))).__name__
        boxes.append(f"{part}_{kind}" if part.isdigit() else part)
    return "/".join(boxes)


def _unique(name: str, taken: Iterable[str]) -> str:
    """A module that is called twice stands there twice."""
    i, free, seen = 1, name, set(taken)
    while free in seen:
        i, free = i + 1, f"{name}_{i + 1}"
    return free


def _node(node: fx.Node, names: dict[fx.Node, str], net: nn.Module, shape: list[int] | None) -> NodeDef:
    attributes: dict[str, AttrValue] = {}
    op = node.op if node.op in ("placeholder", "output") else getattr(node.target, "__name__", str(node.target))
    if node.op == "call_module":
        module = net.get_submodule(str(node.target))
        op = type(module).__name__
        sizes = {name: list(p.shape) for name, p in module.named_parameters()}
        attributes["parameters"] = AttrValue(s=", ".join(f"{name} {size}" for name, size in sizes.items()).encode())
    if shape is not None:
        # -1: a batch may have any size
        sizes_out = shape if node.op == "get_attr" else [-1, *shape[1:]]
        dims = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes_out])
        attributes["_output_shapes"] = AttrValue(list=AttrValue.ListValue(shape=[dims]))
    return NodeDef(name=names[node], op=op, input=[names[other] for other in node.all_input_nodes], attr=attributes)
