"""A thousand run directories, made in a moment from one."""

from pathlib import Path

from src.config import compose_train
from src.run import RunDir

_N_SEEDS = 10


def make_thousand(sweep_dir: Path, *, n: int = 1000) -> None:
    """Write runs of 10 activations x 10 rates x 10 seeds, the shape of a search by grid, each with a result alone."""
    overrides = ["model=mlp", "optimizer=adam", "optimizer.lr=0.5", "model.net.activation=tanh", "seed=7"]
    first = RunDir(sweep_dir.parent / "first")
    first.claim(compose_train(overrides, run_dir=first.path), overrides=overrides)
    metrics = {f"{split}/{name}": 0.5 for split in ("val", "test") for name in ("loss", "accuracy", "f1")}
    optimized = {"name": "val/loss", "value": 0.5}
    first.finish(seed=7, overrides=overrides, metrics=metrics, optimized_metric=optimized, per_class=[], duration_s=1.0)
    texts = {path: path.read_text() for path in (first.config_file, first.result_file)}
    for i in range(n):
        activation, rate, seed = f"act{i // 100}", 0.01 * (i // _N_SEEDS % 10 + 1), i % _N_SEEDS
        changes = {
            "tanh": activation,
            "lr: 0.5": f"lr: {rate}",
            "lr=0.5": f"lr={rate}",
            "seed: 7": f"seed: {seed}",
            "seed=7": f"seed={seed}",
            'seed": 7': f'seed": {seed}',
            'loss": 0.5': f'loss": {0.5 + i % 7 * 0.01 + i // _N_SEEDS}',
        }
        for path, text in texts.items():
            new = text
            for old, value in changes.items():
                new = new.replace(old, value)
            target = sweep_dir / str(i) / path.relative_to(first.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(new)
