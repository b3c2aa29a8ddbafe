"""Many models, trained by the same operations inside Lightning's Trainer."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import lightning.pytorch as pl

from src.data.base import Part
from src.tasks.base import Task
from src.tasks.epochs import skip_epochs
from src.vmap.cohort import Cohort, Watch
from src.vmap.limits import cut
from src.vmap.members import Member
from src.vmap.progress import Unseen
from src.vmap.rates import PlateauRates

log = logging.getLogger(__name__)

# Models with the same data compute faster, so that many of them are worth a cohort of their own.
_SHARING = 16


class Ensemble(pl.LightningModule):
    """All cohorts of a shard as one module, trained in blocks of epochs as `Task` trains one model.

    Args:
        members: Models of the shard.
        task: Their loss, score and network.
        batch_size: Samples per training batch; None for all of them.
        watch: Decides which weights are the best; None keeps none.
        size: Largest number of models of a cohort.
        progress: Told of every block of a cohort.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        task: Task,
        batch_size: int | None,
        watch: Watch | None,
        size: int,
        progress: Unseen,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._members, self._batch_size, self._watch, self._size = members, batch_size, watch, size
        self._progress = progress
        # in a list: as a submodule, its weights would stand in this module's checkpoints
        self._task = [task]
        self.cohorts: list[Cohort] = []
        self._begun: list[dict[str, Any]] = []

    def configure_optimizers(self) -> list[Any]:
        """None of torch's."""
        return []

    def on_fit_start(self) -> None:
        """Lay out the cohorts on the device."""
        (task,) = self._task
        task.to(self.device)
        self.cohorts = [
            Cohort(group, task=task, ready=self._ready, batch_size=self._batch_size, watch=self._watch)
            for group in cohorts_of(self._members, self._size)
        ]
        for cohort, state in zip(self.cohorts, self._begun, strict=bool(self._begun)):
            cohort.load_state_dict(state)
            self._progress.trained((cohort.epochs[-1] + 1) * len(cohort.members))
        self._begun = []
        every_epoch = isinstance(self.cohorts[0].rates, PlateauRates)
        self.schedule = task.make_schedule(self.trainer.max_epochs, every_epoch=every_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the models have come to; it is no module's state."""
        checkpoint["cohorts"] = [cohort.state_dict() for cohort in self.cohorts]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up once the cohorts are laid out."""
        self._begun = checkpoint["cohorts"]

    def _ready(self, part: Part) -> Part:
        convert = self.trainer.precision_plugin.convert_input
        x, y = (tensor.to(self.device) for tensor in part)
        return Part(convert(x), convert(self._task[0].targets(y)))

    def training_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Train a block of epochs, cohort by cohort."""
        block = self.schedule.block(self.trainer.current_epoch)
        for cohort in self.cohorts:
            # nothing is left to train where all have failed
            if cohort.alive.any():
                cohort.train(block, self.schedule)
            self._progress.trained(len(block) * len(cohort.members))
        skip_epochs(self.trainer, len(block) - 1, n_steps=len(block) * self.cohorts[0].n_batches)


def cohorts_of(members: Sequence[Member], size: int) -> Iterator[Sequence[Member]]:
    """Members in groups of at most ``size``; many with the same data have groups of their own."""
    by_data: dict[int, list[Member]] = {}
    for member in members:
        by_data.setdefault(id(member.parts), []).append(member)
    large = [group for group in by_data.values() if len(group) >= _SHARING]
    rest = [member for group in by_data.values() if len(group) < _SHARING for member in group]
    for group in [*large, rest]:
        yield from cut(group, size)
