"""Jobs of a sweep trained as one batch: a network of many models costs little more than one of them.

The whole idea, as in PyTorch's tutorial on ensembling: stack the weights, map the network over them, and let every
model take its own step.

>>> import torch
>>> from torch.func import functional_call, stack_module_state, vmap
>>> x = torch.linspace(-1, 1, 20).unsqueeze(1)
>>> y, lr = 3 * x, torch.tensor([0.01, 0.1, 0.5]).view(3, 1, 1)
>>> models = [torch.nn.Linear(1, 1, bias=False) for _ in range(3)]
>>> weights = stack_module_state(models)[0]["weight"].detach().requires_grad_()  # (m, 1, 1)
>>> outputs = vmap(lambda w: functional_call(models[0], {"weight": w}, x))  # (m, n, 1)
>>> for _ in range(100):
...     losses = (outputs(weights) - y).square().mean((1, 2))  # (m,): each model has its own
...     (gradient,) = torch.autograd.grad(losses.sum(), weights)
...     weights.data -= lr * gradient
>>> [round(loss, 3) for loss in losses[1:].tolist()]
[0.0, 0.0]

Concepts, from the sweep down to the arithmetic:

- *job*: a configuration of the sweep (`src.sweep.jobs`). What it trains is its *model* (`models`).
- *plan*: which jobs are stacked, and why the others are *single* runs (`planning`).
- *proof*: a few jobs of each stack, as different as there are, are trained both ways for a few steps, and all that
  comes of it is compared (`proof`).
- *stack*: jobs whose models can train as one batch: same structure, other seeds and numbers (`train`). Where
  networks are `MLP`s of other widths and activations, zeros make them equally wide (`stacked.padded`).
- *chunk*: models of a stack that are trained and recorded together, by this process or by one that another launcher
  starts (`remote`); it leaves a checkpoint to go on from (`unfinished`).
- *tile*: models of a chunk that one step computes, few enough for a cache (`tile`, `limits`). A tile learns by the loop
  of `src.tasks.training.loop`, as a single network does.
- *stacked* network, optimiser, scheduler, data: those of many models, with the models as one more axis (`stacked`).
- *outcome*: what came of a job; `trained` takes one model out of its tile, `record` writes the run directory that its
  single run would have left, with its ``train.log`` (`train_log`).

A model is more than its weights: *held* beside them are its buffers and frozen parameters (`stacked.layout`).

Contract: what a stacked job computes is what its single run computes, up to the rounding of sums that are taken in
another order. What cannot be stacked runs as a single run, and the log says why.
"""
