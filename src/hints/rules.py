"""From measured facts to hints: pure functions without torch.

Silence is the normal case: a threshold stands where healthy runs stay well clear of it, and each says why it is there.
"""

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from omegaconf import DictConfig

from src.config.metrics import share
from src.tasks.finite import NonFiniteLossError

# A quarter of the way from guessing to all right. The best line across two rings gets a fifth of the way, by cutting
# off a piece of the outer one.
_NEAR_CHANCE = 0.25
# A third of the units of a healthy network may never fire, and more than half where there is a single input: those that
# are set in motion by values which do not occur.
_DEAD_SHARE = 0.75
# Before its first step a network guesses; twice that loss is worse than guessing, beyond the noise of small batches.
_EXPLODED = 2.0
# In accuracy, and in units of the targets' standard deviation: with a loss of absolute errors the last step alone may
# move the line of a linear network by a tenth of it.
_GAP, _GAP_OF_ERROR = 0.1, 0.25
# Standard errors of an accuracy of one half: what so few validation points cannot tell apart is no gap.
_STANDARD_ERRORS = 3.0
# Weights of a run that learns move by a tenth of their length or more, and its loss falls by more than this share.
_MOVED = 0.01
_FALLEN = 0.01
# So few steps say nothing about a learning rate.
_ENOUGH_STEPS = 100
# What has learnt nothing with a rate so many times too large, or in fewer steps, may learn with another or in more:
# both come before the network.
_FAR, _MANY_STEPS = 10, 500
# A loss that has arrived falls by less than this share from one tenth of the epochs to the next.
_STEEP = 0.03
# Where it gets to so good an accuracy, or an error of so small a share of the targets' standard deviation, it may fall
# on towards zero for ever.
_GOOD_ACCURACY, _GOOD_ERROR = 0.95, 0.1
# Classes are unequal where the largest has half as much again as it had if all were equal. A network that tells them
# apart gets more of each right than guessing does, though its accuracy may be lower: beyond what its noise explains.
_UNEQUAL = 1.5
_TOLD_APART = 0.05
# What gets a network of three layers to targets of any size: each layer grows by the third root of it.
_LR_OF_ADAM, _EPOCHS_OF_ADAM = 0.1, 2000


class Hint(NamedTuple):
    """What to think about.

    Attributes:
        kind: A word that tells hints apart.
        seen: What was measured, in a sentence.
        changes: Overrides to try.
    """

    kind: str
    seen: str
    changes: tuple[str, ...]


class ReluLayer(NamedTuple):
    """A layer of ReLU units.

    Attributes:
        name: ``layer 2`` for the second hidden one of an `MLP`, else that of the module.
        n_dead: How many never fire on the training data.
        n_units: How many there are.
    """

    name: str
    n_dead: int
    n_units: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a run knows of itself when training ends, all of the last weights.

    Attributes:
        n_steps: Optimiser steps taken.
        lr: Learning rate that the run was given.
        suggested_lr: Learning rate that suits the data.
        weight_decay: The optimiser's; None if it has none.
        first_loss: Training loss before the first step, or of the first epoch.
        last_loss: Training loss of the last epoch.
        moved: Distance between the first and the last weights, over the length of the first; None where it does not
            matter (`may_be_slow`).
        train_score: Accuracy of the last epoch, or mean absolute error of a regression.
        val_score: The same of validation; None if there is none.
        n_val: Number of validation points.
        guessing: Share of the most frequent training class; None for a regression.
        balanced_accuracy: Mean recall of the training classes; None where accuracy is better than guessing, or the
            steps are few.
        n_classes: Number of classes; 0 for a regression.
        weighs_classes: Whether classes have weights in the loss.
        line_accuracy: Share of the training points that a line by least squares gets right; None unless the
            network is linear, and not far from guessing (`is_near_chance`).
        target_std: Standard deviation of the training targets; None for a classification.
        target_mean: Mean of them; None for a classification.
        relus: Layers of ReLU units; none where training has exploded, of which nothing else is known either.
        activation_is_a_key: Whether ``model.net.activation`` sets the network's activation.
        n_epochs: Epochs trained.
        tenths: Mean training loss of the last tenth of them but one, and of the last; None of few epochs.
        squashed: ``sigmoid`` or ``softmax``, if the network of a classification ends in it.
    """

    n_steps: int
    lr: float
    suggested_lr: float
    weight_decay: float | None
    first_loss: float
    last_loss: float
    moved: float | None
    train_score: float
    val_score: float | None
    n_val: int
    guessing: float | None
    balanced_accuracy: float | None
    n_classes: int
    weighs_classes: bool
    line_accuracy: float | None
    target_std: float | None
    target_mean: float | None
    relus: tuple[ReluLayer, ...]
    activation_is_a_key: bool
    n_epochs: int
    tenths: tuple[float, float] | None
    squashed: str | None


def hints(facts: Facts) -> list[Hint]:
    """All that the facts ask for; of a run that is fine nothing."""
    if exploding := list(_exploding(facts)):
        # whatever else is wrong comes from it
        return exploding
    if squashed := list(_squashed(facts)):
        return squashed
    found = [hint for check in (_dead_relus, _linear, _worse_than_mean) for hint in check(facts)]
    if not any(hint.kind == "worse_than_mean" for hint in found):
        found += _overfitting(facts)
    # a network that can do no better does not move either
    return found or list(_too_slow(facts)) or list(_at_chance(facts)) or list(_still_falling(facts))


def of_error(error: BaseException, cfg: DictConfig) -> list[Hint]:
    """What the failure of a run asks for.

    Args:
        error: What the run raised.
        cfg: Its configuration.
    """
    if cfg.get("module") is not None:
        return []
    if "Expected more than 1 value per channel" in str(error):
        return [_single_sample(cfg)]
    if not isinstance(error, NonFiniteLossError):
        return []
    change = _lower(cfg.optimizer.lr, cfg.suggested.lr) if "lr" in cfg.optimizer else "task.gradient_clip_val=1"
    return [Hint("not_finite", str(error).split(". Try")[0], (change,))]


def as_record(hint: Hint, overrides: Sequence[str]) -> dict[str, str]:
    """How `result.json` holds a hint.

    Args:
        hint: The hint.
        overrides: What the run was started with.
    """
    return {"kind": hint.kind, "seen": hint.seen, "try": command(overrides, hint.changes)}


def command(overrides: Sequence[str], changes: Sequence[str]) -> str:
    """The command that a run was started with, with some values changed."""
    changed = {_key(change) for change in changes}
    kept = [override for override in overrides if _key(override) not in changed]
    if "optimizer" in changed:
        # another one may not have them
        kept = [override for override in kept if not _key(override).startswith("optimizer.")]
    return shlex.join(["python", "-m", "src.train", *kept, *changes])


def _key(override: str) -> str:
    return override.lstrip("+~").split("=")[0].split("@")[0]


def has_exploded(first_loss: float, last_loss: float) -> bool:
    """Whether training has made a loss so much larger that nothing else matters."""
    return last_loss > _EXPLODED * first_loss


def has_enough_steps(n_steps: int) -> bool:
    """Whether so many steps should have brought something about."""
    return n_steps >= _ENOUGH_STEPS


def may_be_slow(n_steps: int, first_loss: float, last_loss: float) -> bool:
    """Whether it matters how far the weights have moved: the loss has not, after enough steps."""
    fallen = 1 - last_loss / first_loss if first_loss > 0 else 0.0
    return has_enough_steps(n_steps) and abs(fallen) < _FALLEN


def is_near_chance(accuracy: float, guessing: float) -> bool:
    """Whether an accuracy is hardly better than that of guessing."""
    return accuracy < guessing + _NEAR_CHANCE * (1 - guessing)


def _exploding(facts: Facts) -> Iterator[Hint]:
    if has_exploded(facts.first_loss, facts.last_loss):
        seen = f"training loss grew from {facts.first_loss:.4g} to {facts.last_loss:.4g}: the steps are too large"
        yield Hint("exploding", seen, (_lower(facts.lr, facts.suggested_lr),))


def _dead_relus(facts: Facts) -> Iterator[Hint]:
    dead, n = sum(layer.n_dead for layer in facts.relus), sum(layer.n_units for layer in facts.relus)
    if n and (dead >= _DEAD_SHARE * n or any(layer.n_dead == layer.n_units for layer in facts.relus)):
        layers = ", ".join(f"{layer.name}: {layer.n_dead} of {layer.n_units}" for layer in facts.relus)
        seen = (
            f"{dead} of {n} ReLU units ({dead / n:.0%}) never fire on the training data, so that no gradient reaches "
            f"them ({layers})"
        )
        yield Hint("dead_relus", seen, (_lower(facts.lr, facts.suggested_lr),))


def _linear(facts: Facts) -> Iterator[Hint]:
    if facts.line_accuracy is None or facts.guessing is None or facts.relus:
        return
    if is_near_chance(max(facts.train_score, facts.line_accuracy), facts.guessing):
        seen = (
            f"the network is linear, and after the last epoch gets {share(facts.train_score)}% of the training points "
            f"right; guessing gets {share(facts.guessing)}%, a line by least squares {share(facts.line_accuracy)}%: no "
            "line separates these classes, whatever the network's size"
        )
        relu = ("model.net.activation=relu",) if facts.activation_is_a_key else ("model=mlp",)
        yield Hint("linear_at_chance", seen, relu)


def _too_slow(facts: Facts) -> Iterator[Hint]:
    if facts.moved is None or not may_be_slow(facts.n_steps, facts.first_loss, facts.last_loss):
        return
    if facts.moved < _MOVED:
        seen = (
            f"{facts.n_steps:,} steps moved the weights by {facts.moved:.2g} of their length and changed training loss "
            f"from {facts.first_loss:.4g} to {facts.last_loss:.4g}: optimizer.lr={facts.lr:g} hardly moves anything"
        )
        # steps of one direction add up, so that a hundred times the rate goes about a hundred times as far
        far_enough = facts.lr * 10 ** math.ceil(math.log10(0.3 / max(facts.moved, 1e-9)))
        lr = min(far_enough, facts.suggested_lr) if facts.suggested_lr > facts.lr else 10 * facts.lr
        yield Hint("too_slow", seen, (f"optimizer.lr={lr:g}",))


def _at_chance(facts: Facts) -> Iterator[Hint]:
    if facts.guessing is None or facts.balanced_accuracy is None or not has_enough_steps(facts.n_steps):
        return
    if facts.balanced_accuracy > 1 / facts.n_classes + _TOLD_APART:
        return
    is_unequal = facts.guessing * facts.n_classes >= _UNEQUAL
    if not is_unequal and any(_still_falling(facts)):
        # time may help
        return
    seen = (
        f"the network gets {share(facts.train_score)}% of the training points right, no more than the answer that is "
        f"always the largest class, {share(facts.guessing)}%; on average over classes it is "
        f"{share(facts.balanced_accuracy)}%"
    )
    if is_unequal and not facts.weighs_classes:
        yield Hint("at_chance", seen, ("loss=of_data", "loss.class_weights=balanced"))
    elif facts.lr >= _FAR * facts.suggested_lr:
        yield Hint("at_chance", seen, (_lower(facts.lr, facts.suggested_lr),))
    elif facts.n_steps < _MANY_STEPS:
        yield Hint("at_chance", seen, (f"trainer.max_epochs={10 * facts.n_epochs}",))
    else:
        yield Hint("at_chance", seen, ("model.net.hidden=[32,32]" if facts.activation_is_a_key else "model=mlp",))


def _worse_than_mean(facts: Facts) -> Iterator[Hint]:
    mean, spread = facts.target_mean, facts.target_std
    # the mean itself is never further from the targets, on average, than their standard deviation
    if mean is None or not spread or not has_enough_steps(facts.n_steps) or facts.train_score <= spread:
        return
    seen = (
        f"mean absolute error is {facts.train_score:.4g} in training, worse than answering the mean of the training "
        f"part: the target's mean is {mean:.4g}, its spread {spread:.4g}, and it goes in as it is; a column of "
        f"(target - {mean:.4g}) / {spread:.4g} in its place is learnt most easily"
    )
    size = max(abs(mean), spread)
    if size <= 1:
        # steps of usual size go too far
        yield Hint("worse_than_mean", f"{seen}, and no key does that", ())
        return
    lr, epochs = _LR_OF_ADAM * size ** (1 / 3), max(_EPOCHS_OF_ADAM, 2 * facts.n_epochs)
    yield Hint(
        "worse_than_mean",
        seen,
        ("optimizer=adam", f"optimizer.lr={float(f'{lr:.2g}'):g}", f"trainer.max_epochs={epochs}"),
    )


def _squashed(facts: Facts) -> Iterator[Hint]:
    if facts.squashed is not None:
        seen = (
            f"the network ends in a {facts.squashed}, but loss and metrics take logits, numbers of any size: "
            f"leave the {facts.squashed} out, as model=mlp does"
        )
        yield Hint("squashed", seen, ("model=mlp",))


def _still_falling(facts: Facts) -> Iterator[Hint]:
    if facts.tenths is None or facts.tenths[0] <= 0:
        return
    before, last = facts.tenths
    is_good = (
        facts.train_score >= _GOOD_ACCURACY
        if facts.target_std is None
        else facts.train_score <= _GOOD_ERROR * facts.target_std
    )
    if last < (1 - _STEEP) * before and not is_good:
        seen = (
            f"training loss was still falling when training ended: from {before:.4g} to {last:.4g}, "
            f"{1 - last / before:.0%} less, in the last tenth of {facts.n_epochs:,} epochs"
        )
        yield Hint("still_falling", seen, (f"trainer.max_epochs={2 * facts.n_epochs}",))


def _single_sample(cfg: DictConfig) -> Hint:
    """What a layer of normalisation asks for that was given a batch of one sample."""
    size = cfg.data.get("batch_size")
    seen = "a training batch held one sample, which a layer such as BatchNorm cannot normalise"
    if isinstance(size, int) and size > 1 and cfg.data.get("drop_last") is False:
        return Hint("single_sample", f"{seen}: the last batch of an epoch", ("data.drop_last=true",))
    return Hint("single_sample", seen, (f"data.batch_size={size + 1 if isinstance(size, int) else 'null'}",))


def _overfitting(facts: Facts) -> Iterator[Hint]:
    if facts.val_score is None:
        return
    if facts.target_std is None:
        gap, unit = facts.train_score - facts.val_score, 1.0
        least = max(_GAP, _STANDARD_ERRORS * 0.5 / math.sqrt(facts.n_val))
        seen = f"accuracy is {share(facts.train_score)}% on the training points and "
        seen += f"{share(facts.val_score)}% on validation"
    else:
        gap, unit = facts.val_score - facts.train_score, facts.target_std
        least = _GAP_OF_ERROR
        seen = f"mean absolute error is {facts.train_score:.4g} in training and {facts.val_score:.4g} on validation"
    if gap > least * unit:
        decay = (
            () if facts.weight_decay is None else (f"optimizer.weight_decay={max(0.01, 10 * facts.weight_decay):g}",)
        )
        why = f"{seen}: the network learns its training points by heart"
        yield Hint("overfitting", why, ("callbacks=early_stopping", *decay))


def _lower(lr: float, suggested_lr: float) -> str:
    return f"optimizer.lr={min(lr / 10, suggested_lr):g}"
