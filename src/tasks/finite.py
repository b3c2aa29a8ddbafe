"""Training that has left the numbers a float can hold."""

from src.config.errors import ToldError


class NonFiniteLossError(ToldError, RuntimeError):
    """Training has left the numbers that a float can hold."""

    @classmethod
    def at(
        cls, epoch: int, loss: float, last_finite: tuple[int, float] | None, *, name: str = "train/loss"
    ) -> "NonFiniteLossError":
        """Say where, and what came before.

        Args:
            epoch: The measured epoch.
            loss: What was measured.
            last_finite: The last measured epoch whose train/loss was finite, and that loss; None if there was none.
            name: Which loss.
        """
        last = "never" if last_finite is None else "{1:.4g} at epoch {0}".format(*last_finite)
        never = (
            "" if last_finite else "; if the first weights give it already, look at what the network makes of the data"
        )
        return cls(
            f"{name} is {loss} at epoch {epoch}; last finite value: {last}. Try a smaller optimizer.lr, or "
            f"task.gradient_clip_val=1{never}"
        )
