"""Networks of many models at once, through stacked weights.

Axes: ``m`` models, ``n`` samples, ``f`` inputs and ``o`` outputs of a layer, ``p`` weights of one model.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from src.models.activations import HandmadeReLU, HandmadeSigmoid
from src.models.mlp import MLP
from src.vmap.stacked.draws import Draws

# Weights and biases (m, o, f) and (m, o, 1) of an affine map.
Affine: TypeAlias = tuple[Tensor, Tensor]

# Acts on every number by itself.
Activation: TypeAlias = Callable[[Tensor], Tensor]

# Activations that act on every number by itself, so that axes may stand in any order.
_ELEMENTWISE = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.LeakyReLU, HandmadeReLU, HandmadeSigmoid)


class StackedNet:
    """Any network, through `torch.func.vmap`.

    Args:
        net: Its weights are never read: each call brings those of all models.
        held: Its buffers and frozen parameters (m, *shape) by name; training may change them.
        draws: Random numbers of each model.

    Attributes:
        is_training: Whether a call may change what is held.
    """

    def __init__(self, net: nn.Module, held: Mapping[str, Tensor], draws: Draws) -> None:
        self.net, self.held, self._draws = net, dict(held), draws
        self.is_training = True
        self._trained = [name for name, parameter in net.named_parameters() if parameter.requires_grad]

    def inputs(self, x: Tensor) -> Tensor:
        """Samples (m, n, f), or (1, n, f) if all models share them, in the form that a call takes."""
        return x

    def __call__(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        """Outputs (m, n, o) of what `inputs` has made, for stacked trained parameters (m, *shape)."""
        shared = len(x) == 1
        names = [*self._trained, *self.held]

        def one(x: Tensor, token: Tensor, *tensors: Tensor) -> tuple[Any, list[Tensor]]:
            state = dict(zip(names, tensors, strict=True))
            with self._draws.of(token):
                outputs = functional_call(self.net, state, x)
            # with what the call has put in the place of a buffer
            return outputs, [state[name] for name in self.held]

        in_dims = (None if shared else 0, 0, *(0 for _ in names))
        given = (x[0] if shared else x, self._draws.tokens, *weights, *self.held.values())
        stacked = vmap(one, in_dims=in_dims)(*given)
        outputs: Tensor = stacked[0]
        if self.is_training:
            self.held = {name: tensor.detach() for name, tensor in zip(self.held, stacked[1], strict=True)}
        return outputs


class StackedMLP(StackedNet):
    """`MLP` as batched products of matrices, with samples along the last axis.

    Layers without an activation between them are one affine map. Their weights are multiplied first, where that takes
    fewer multiplications than to send every sample through each: of circle_v2's 130 per sample, 30 are left.
    """

    def __init__(self, net: MLP) -> None:
        super().__init__(net, {}, Draws([]))
        # how many affine layers stand before each activation, and after the last one
        self._segments: list[tuple[int, Activation]] = []
        depth = 0
        for layer in net.layers:
            depth += isinstance(layer, nn.Linear)
            if not isinstance(layer, nn.Linear):
                # in the place of what it is given, which nobody else reads: a fifth less time
                self._segments.append((depth, torch.relu_ if type(layer) is nn.ReLU else layer))
                depth = 0
        self._segments.append((depth, nn.Identity()))

    def inputs(self, x: Tensor) -> Tensor:
        """Samples as columns, above a row of ones that the first bias is multiplied with: (m or 1, f + 1, n)."""
        return torch.cat([x, torch.ones_like(x[:, :, :1])], dim=2).transpose(1, 2).contiguous()

    def __call__(self, weights: Sequence[Tensor], x: Tensor) -> Tensor:
        """Outputs (m, n, o)."""
        left = iter(weights)
        for depth, activation in self._segments:
            layers = [(next(left), next(left).unsqueeze(2)) for _ in range(depth)]
            *inner, last = _merged(layers)
            for affine in inner:
                x = _apply(affine, x, nn.Identity())
            x = _apply(last, x, activation)
        return x.transpose(1, 2)


def is_worth_merging(f: int, h: int, o: int) -> bool:
    """Whether a map of f to o numbers takes no more multiplications than one by way of h."""
    return o * f <= h * f + o * h


def _merged(layers: list[Affine]) -> list[Affine]:
    """The same map in fewer layers, where one product per sample costs less than two."""
    merged = layers[:1]
    for weight, bias in layers[1:]:
        inner_weight, inner_bias = merged[-1]
        (h, f), o = inner_weight.shape[1:], weight.shape[1]
        if is_worth_merging(f, h, o):
            merged[-1] = torch.bmm(weight, inner_weight), torch.baddbmm(bias, weight, inner_bias)
        else:
            merged.append((weight, bias))
    return merged


def _apply(affine: Affine, x: Tensor, activation: Activation) -> Tensor:
    """Columns (m, o, n) from columns (m, f, n), or from (m or 1, f + 1, n) that end in a one."""
    weight, bias = affine
    if x.shape[1] == weight.shape[2]:
        return activation(torch.baddbmm(bias, weight, x))
    both = torch.cat(affine, dim=2)
    if len(x) == len(both):
        return activation(torch.bmm(both, x))
    # one large product instead of many small ones
    return activation(both.flatten(0, 1) @ x[0]).view(*both.shape[:2], -1)


def stacked_network(net: nn.Module, held: Mapping[str, Tensor], draws: Draws) -> StackedNet:
    """The fastest form of a network, with what it holds beside trained weights."""
    if (
        type(net) is MLP
        and net.is_chain
        and not held
        and all(isinstance(layer, nn.Linear) or type(layer) in _ELEMENTWISE for layer in net.layers)
    ):
        return StackedMLP(net)
    return StackedNet(net, held, draws)
