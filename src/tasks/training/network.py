"""One network as a learner, with the optimiser and the scheduler that Lightning keeps for its task."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator

import lightning.pytorch as pl
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.data.base import Batch, Batches
from src.tasks.penalty import Penalty
from src.tasks.training.loop import Means
from src.tasks.training.modes import Modes


class OneNetwork:
    """A network that trains by Lightning's manual optimisation: a `src.tasks.training.loop.Learner`.

    Args:
        module: The task, which has an optimiser and perhaps a scheduler; it is told of every epoch.
        net: Its network.
        loss: Mean loss of (outputs, targets).
        score: Score of each sample.
        clip: Largest norm of the gradient; None for no clipping.
        penalty: What large weights cost.
        modes: Of network and loss.
        train: Training batches.
        val: Validation batches.
    """

    def __init__(
        self,
        module: pl.LightningModule,
        *,
        net: nn.Module,
        loss: nn.Module,
        score: Callable[[Tensor, Tensor], Tensor],
        clip: float | None,
        penalty: Penalty,
        modes: Modes,
        train: Batches,
        val: Batches,
    ) -> None:
        optimizer = module.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        self._module, self._optimizer, self._scheduler = module, optimizer, module.lr_schedulers()
        self._net, self._score, self._clip, self._train, self._val = net, score, clip, train, val
        # the modules themselves: a call less for each batch
        self.outputs, self.loss = net, loss
        self._penalty, self._modes = penalty, modes
        self._asks_again = asks_again(optimizer.optimizer)
        self._batch: Batch | None = None
        self._is_plain = not self._asks_again and is_plain(module.trainer, optimizer.optimizer)
        self._parameters = [p for group in optimizer.optimizer.param_groups for p in group["params"]]
        # steps that nobody but this has counted
        self.n_uncounted = 0

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        rate: float = self._optimizer.param_groups[0]["lr"]
        return rate

    def start_epoch(self, epoch: int) -> None:
        """Tell the task, and choose the order of the batches."""
        # past nn.Module's own setter, which looks for parameters and takes longer than a layer
        object.__setattr__(self._module, "epoch", epoch)
        self._train.set_epoch(epoch)

    def train_batches(self) -> Iterable[Batch]:
        """Those of the epoch, or as many as ``trainer.max_steps`` leaves."""
        batches = self._train.first(steps_left(self._module.trainer) - self.n_uncounted)
        return self._noted(batches) if self._asks_again else batches

    def _noted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same, each kept for a step that computes its loss again."""
        for self._batch in batches:
            yield self._batch

    def val_batches(self) -> Iterable[Batch]:
        """The validation part in batches."""
        return self._val

    def set_mode(self, *, training: bool) -> None:
        """Train or evaluate from now on."""
        self._modes.set(training=training)

    def learn(self, batch: Batch, *, measure: bool) -> Means | None:
        """Take a step along a batch."""
        outputs = self.outputs(batch.x)
        loss = self.loss(outputs, batch.y)
        means = Means(loss.detach(), self._mean_score(outputs.detach(), batch.y)) if measure else None
        self._step(loss, scale=batch.scale)
        return means

    def evaluate(self, batch: Batch) -> Means:
        """Mean loss and score of a batch."""
        outputs = self.outputs(batch.x)
        return Means(self.loss(outputs, batch.y), self._mean_score(outputs, batch.y))

    def _mean_score(self, outputs: Tensor, y: Tensor) -> Tensor:
        return self._score(outputs, y).mean()

    def _step(self, loss: Tensor, *, scale: float) -> None:
        """Take a step of the optimiser; one that asks for the loss again computes it of the same batch."""
        loss = self._penalised(loss)
        if self._is_plain:
            self._step_plainly(loss if scale == 1 else loss * scale)
            return
        self._backward(loss, scale)
        if self._asks_again:
            self._optimizer.step(closure=self._closure(loss, scale))
        else:
            self._optimizer.step()

    def _step_plainly(self, loss: Tensor) -> None:
        """What Lightning does where nothing stands between a loss, its gradient and the optimiser's step."""
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        if self._clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip)
        self._optimizer.optimizer.step()
        self.n_uncounted += 1

    def _closure(self, loss: Tensor, scale: float) -> Callable[[], Tensor]:
        """What gives an optimiser the loss of the current batch, and its gradient, as often as it likes."""
        known = [loss]

        def again() -> Tensor:
            assert self._batch is not None
            if known:
                # its gradient is there
                value = known.pop()
            else:
                value = self._penalised(self.loss(self.outputs(self._batch.x), self._batch.y))
                self._backward(value, scale)
            # by which it decides where to go: the same in all processes, or they would part
            total: Tensor = self._module.trainer.strategy.reduce(value.detach() * scale, reduce_op="mean")
            return total

        return again

    def _penalised(self, loss: Tensor) -> Tensor:
        return loss + self._penalty.of(self._net.parameters()) if self._penalty else loss

    def _backward(self, loss: Tensor, scale: float) -> None:
        """Bring the gradient of a loss to the parameters, clipped."""
        self._optimizer.zero_grad()
        self._module.manual_backward(loss if scale == 1 else loss * scale)
        if self._clip is not None:
            self._module.clip_gradients(
                self._optimizer.optimizer, gradient_clip_val=self._clip, gradient_clip_algorithm="norm"
            )

    def end_epoch(self, val: Means | None) -> None:
        """Take a step of the scheduler."""
        if isinstance(self._scheduler, ReduceLROnPlateau):
            assert val is not None
            self._scheduler.step(val.loss.item())
        elif isinstance(self._scheduler, LRScheduler):
            self._scheduler.step()


def asks_again(optimizer: Optimizer) -> bool:
    """Whether a step may compute the loss again, as that of `torch.optim.LBFGS` does, or of a class of one's own."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is None:
        return False
    # torch's others call it once, if they get one
    return closure.default is inspect.Parameter.empty or not type(optimizer).__module__.startswith("torch.")


def is_plain(trainer: pl.Trainer, optimizer: Optimizer) -> bool:
    """Whether a step is a gradient and the optimiser's own step: one device, and numbers that nobody scales."""
    kind = type(trainer.precision_plugin)
    hands_on = all(
        getattr(kind, name) is getattr(Precision, name)
        for name in ("pre_backward", "backward", "post_backward", "optimizer_step", "clip_gradients")
    )
    return (
        hands_on and type(trainer.strategy) is SingleDeviceStrategy and type(optimizer).zero_grad is Optimizer.zero_grad
    )


def steps_left(trainer: pl.Trainer) -> float:
    """Steps until ``trainer.max_steps``."""
    return math.inf if trainer.max_steps == -1 else trainer.max_steps - trainer.global_step
