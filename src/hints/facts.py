"""What a finished training shows when it is looked at once more: the facts that hints are made of.

Axes: `n` samples, `f` features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from src.data.base import Batches, InMemoryDataModule, Part, Parts
from src.hints.rules import Facts, ReluLayer, has_enough_steps, has_exploded, is_near_chance, may_be_slow
from src.models.activations import HandmadeReLU, HandmadeSigmoid
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.metrics.balance import counts_of, mean_recall
from src.tasks.training.modes import evaluating

_RELUS = (nn.ReLU, HandmadeReLU)

# Names in torch's graph of gradients.
_RESHAPING = frozenset(
    f"{name}Backward"
    for name in ("Alias", "Clone", "Permute", "Reshape", "Squeeze", "T", "ToCopy", "Unsqueeze", "UnsafeView", "View")
)

# Of an accuracy in single precision.
_ROUNDING = 1e-6

# Logged epochs of a tenth of them.
_ENOUGH_EPOCHS = 5


def facts_of(
    task: Task,
    parts: Parts,
    *,
    first_weights: list[Tensor],
    first_loss: float,
    metrics: Mapping[str, float],
    n_steps: int,
    numbers: Mapping[str, Any],
    suggested_lr: float,
    course: Sequence[tuple[int, float]],
    ends_in: Callable[[], str | None] | None = None,
) -> Facts:
    """What training has brought about; what no hint would look at is not looked at here either.

    Args:
        task: With the weights that training has ended with.
        parts: Its data.
        first_weights: The weights that it began with.
        first_loss: Training loss at the first measured epoch.
        metrics: Losses and scores of the last measured one.
        n_steps: Steps in between.
        numbers: Of the optimiser.
        suggested_lr: Learning rate that suits the data.
        course: Logged epochs and their training loss, in order.
        ends_in: Tells what `squashed` does, where that is known already; None asks the network.
    """
    train = parts.train
    last_loss = metrics["train/loss"]
    is_sound = not has_exploded(first_loss, last_loss)
    is_classification = task.spec.task != "regression"
    guessing = float(train.y.bincount().max() / len(train.y)) if is_classification else None
    train_score = metrics[f"train/{task.score_name}"]
    is_no_better = guessing is not None and train_score <= guessing + _ROUNDING
    relus = tuple(dead_relus(task.net, train)) if is_sound else ()
    may_be_a_line = is_sound and not relus and guessing is not None and is_near_chance(train_score, guessing)
    squash = (ends_in or (lambda: squashed(task.net, train.x)))() if is_sound and is_classification else None
    slow = is_sound and may_be_slow(n_steps, first_loss, last_loss)
    at_chance = is_sound and is_no_better and has_enough_steps(n_steps)
    return Facts(
        n_steps=n_steps,
        lr=numbers["lr"],
        suggested_lr=suggested_lr,
        weight_decay=numbers.get("weight_decay"),
        first_loss=first_loss,
        last_loss=last_loss,
        moved=moved(first_weights, list(task.net.parameters())) if slow else None,
        train_score=train_score,
        val_score=metrics.get(f"val/{task.score_name}"),
        n_val=len(parts.val.x),
        guessing=guessing,
        balanced_accuracy=balanced_accuracy(task, train) if at_chance else None,
        n_classes=len(task.spec.class_names) if is_classification else 0,
        weighs_classes=any(getattr(task.loss, name, None) is not None for name in ("weight", "pos_weight")),
        line_accuracy=line_accuracy(train) if may_be_a_line and is_affine(task.net, train.x) else None,
        target_std=None if is_classification else float(train.y.float().std(correction=0)),
        target_mean=None if is_classification else float(train.y.double().mean()),
        relus=relus,
        activation_is_a_key=isinstance(task.net, MLP),
        n_epochs=course[-1][0] + 1 if course else 0,
        tenths=tenths(course),
        squashed=squash,
    )


def tenths(course: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """Mean loss of the last tenth of all epochs but one, and of the last; None where either holds too few of them.

    Args:
        course: Epochs and their loss, in order.
    """
    n = course[-1][0] + 1 if course else 0
    parts = [[loss for epoch, loss in course if k < 10 * (n - epoch) / n <= k + 1] for k in (1, 0)]
    if min(map(len, parts)) < _ENOUGH_EPOCHS:
        return None
    before, last = (sum(part) / len(part) for part in parts)
    return before, last


def squashed(net: nn.Module, x: Tensor) -> str | None:
    """``sigmoid`` or ``softmax``, if that is the last thing that a network does with inputs (n, f), else None.

    Asks what its outputs were computed by, since it need not be a module.
    """
    handmade: list[Tensor] = []
    modules = [module for module in net.modules() if isinstance(module, HandmadeSigmoid)]
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, outputs: handmade.append(outputs)) for module in modules
    ]
    try:
        with evaluating(net), torch.enable_grad():
            parameter = next(net.parameters())
            outputs = net.forward(x[:2].to(parameter))
    finally:
        for hook in hooks:
            hook.remove()
    if any(outputs is each for each in handmade):
        return "sigmoid"
    node = outputs.grad_fn
    # past what only gives the numbers another form
    while node is not None and node.name().rstrip("0123456789") in _RESHAPING:
        node = node.next_functions[0][0]
    name = "" if node is None else node.name()
    return next((word for word in ("sigmoid", "softmax") if name.lower().startswith((word, f"hard{word}"))), None)


def moved(first: list[Tensor], last: list[Tensor]) -> float:
    """Distance between two sets of weights, over the length of the first."""
    pairs = [(a.to(b).double(), b.detach().double()) for a, b in zip(first, last, strict=False)]
    distance = sum(float((b - a).square().sum()) for a, b in pairs)
    length = sum(float(a.square().sum()) for a, _ in pairs)
    return float((distance / length) ** 0.5) if length else float("inf")


@torch.no_grad()
def is_affine(net: nn.Module, x: Tensor) -> bool:
    """Whether a network answers in straight lines through the middle of its inputs (n, f), to both sides and far out.

    Asks the network itself, since a non-linearity need not be a module.
    """
    with evaluating(net):
        centre = x.mean(0, keepdim=True)
        away = x[:1000] - centre
        parameter = next(net.parameters())
        middle, there, back, far = (net.forward((centre + s * away).to(parameter)).double() for s in (0, 1, -1, 10))
    # several roundings of numbers of this size, and of the inputs themselves
    tolerance = max(1e-3, 20 * torch.finfo(parameter.dtype).eps)
    mirrored, stretched = there + back - 2 * middle, (far - middle) / 10 - (there - middle)
    return bool(
        max(mirrored.abs().max(), stretched.abs().max()) <= tolerance * max(there.abs().max(), back.abs().max())
    )


@torch.no_grad()
def balanced_accuracy(task: Task, part: Part) -> float:
    """Share of each class that the network gets right, on average over classes."""
    counts = torch.zeros(2, len(task.spec.class_names), dtype=torch.float64)
    with evaluating(task.net):
        parameter = next(task.net.parameters())
        for batch in Batches(part, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE):
            preds = task.preds(task.net.forward(batch.x.to(parameter))).cpu()
            counts += counts_of(preds, batch.y.cpu(), counts.shape[1])
    return float(mean_recall(counts))


def line_accuracy(part: Part) -> float:
    """Share of the points that a linear map, fitted to their one-hot labels by least squares, gets right."""
    x, y = part.x[:65_536].double().cpu(), part.y[:65_536].cpu()
    inputs = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)  # (n, f + 1)
    solution = torch.linalg.lstsq(inputs, nn.functional.one_hot(y).double(), driver="gelsd").solution
    return float(((inputs @ solution).argmax(1) == y).double().mean())


@torch.no_grad()
def dead_relus(net: nn.Module, part: Part) -> Iterator[ReluLayer]:
    """Layers of ReLU units, in the order in which they are used, and how many units give out zero for every point."""
    fires: dict[str, Tensor] = {}
    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, _RELUS):

            def note(_module: nn.Module, _inputs: Any, outputs: Tensor, name: str = name) -> None:
                fired = (outputs > 0).flatten(0, -2).any(0)
                fires[name] = fires[name] | fired if name in fires else fired

            hooks.append(module.register_forward_hook(note))
    try:
        if hooks:
            with evaluating(net):
                for batch in Batches(part, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE):
                    net.forward(batch.x.to(next(net.parameters())))
    finally:
        for hook in hooks:
            hook.remove()
    names = _hidden_layers(net)
    for name, fired in fires.items():
        yield ReluLayer(names.get(name, name), int((~fired).sum()), fired.numel())


def _hidden_layers(net: nn.Module) -> dict[str, str]:
    """What pictures call the layers of an `MLP`, by names of modules: ``layer 2`` holds the second activation."""
    if not isinstance(net, MLP):
        return {}
    kinds = [(name, isinstance(module, nn.Linear)) for name, module in net.named_modules()]
    n_before = accumulate(is_linear for _, is_linear in kinds)
    return {name: f"layer {n}" for (name, is_linear), n in zip(kinds, n_before, strict=True) if not is_linear}
