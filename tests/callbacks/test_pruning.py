"""Runs that their search gives up."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from omegaconf import DictConfig, open_dict
from optuna.trial import TrialState

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.trial import TrialLink, open_storage
from src.train import train
from tests.search.searching import conf
from tests.tasks.runs import small

# Trials end at the third logged epoch at which their loss is above 0.1.
STOPS = {"_target_": "optuna.pruners.ThresholdPruner", "upper": 0.1, "n_warmup_steps": 20}
NEVER = {"_target_": "optuna.pruners.ThresholdPruner", "upper": 1e9}


def begin(tmp_path: Path, pruner: dict[str, Any], *, monitor: str = "val/loss") -> tuple[optuna.Study, DictConfig]:
    """A study with a trial, whose job is about to run."""
    storage = f"journal://{tmp_path}/study.log"
    study = optuna.create_study(storage=open_storage(storage), study_name="s")
    number = study.ask().number
    run_dir = tmp_path / str(number)
    TrialLink(storage=storage, study="s", number=number, monitor=monitor, pruner=pruner).write(run_dir)
    cfg = small("trainer.max_epochs=40", "task.log_every_n_epochs=10", run_dir=run_dir)
    with open_dict(cfg):
        cfg.callbacks.pruning = {"_target_": "src.callbacks.pruning.Pruning"}
    return study, cfg


def result(cfg: DictConfig) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(cfg.run_dir) / "result.json").read_text())
    return content


def test_a_run_that_the_pruner_gives_up_ends_and_keeps_what_it_has_measured(tmp_path: Path) -> None:
    study, cfg = begin(tmp_path, STOPS)
    value = train(cfg)
    assert result(cfg)["status"] == "pruned"
    assert result(cfg)["epoch"] == 20
    assert result(cfg)["metrics"]["val/loss"] == value == result(cfg)["optimized_metric"]["value"]
    assert set(result(cfg)["metrics"]) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    reported = study.trials[0].intermediate_values
    assert list(reported) == [0, 10, 20]
    assert reported[20] == value


def test_a_pruned_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, cfg = begin(tmp_path, STOPS)
    value = train(cfg)
    monkeypatch.setattr("src.fit.fit", lambda *_args, **_kwargs: pytest.fail("trained again"))
    assert train(cfg) == value


def test_a_run_that_the_pruner_keeps_reports_and_ends_as_without_a_search(tmp_path: Path) -> None:
    study, cfg = begin(tmp_path, NEVER)
    plain = small("trainer.max_epochs=40", "task.log_every_n_epochs=10", run_dir=tmp_path / "plain")
    assert train(cfg) == train(plain)
    assert result(cfg)["metrics"] == result(plain)["metrics"]
    assert list(study.trials[0].intermediate_values) == [0, 10, 20, 30, 39]
    assert study.trials[0].state == TrialState.RUNNING


def test_without_a_search_the_callback_does_nothing(tmp_path: Path) -> None:
    _, cfg = begin(tmp_path, STOPS)
    (Path(cfg.run_dir) / "trial.json").unlink()
    train(cfg)
    assert result(cfg)["status"] == "completed"


@pytest.mark.slow
def test_a_run_that_goes_on_after_a_kill_reports_each_epoch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, cfg = begin(tmp_path, NEVER)
    cfg.callbacks.checkpoint.every_s = 0
    seen: list[float] = []

    def killed(trial: Any, value: float, *, epoch: int) -> bool:
        if epoch == 20:
            raise KeyboardInterrupt
        trial.report(value, epoch)
        # the checkpoint is older than what was reported
        if epoch == 10:
            trial.report(0.5, 30)
        seen.append(value)
        return False

    with monkeypatch.context() as patch:
        patch.setattr("src.callbacks.pruning._ask", killed)
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    assert RunDir(Path(cfg.run_dir)).result() is None
    train(cfg)
    reported = study.trials[0].intermediate_values
    assert sorted(reported) == [0, 10, 20, 30, 39]
    assert reported[30] == 0.5
    assert [reported[0], reported[10]] == seen


def test_a_metric_that_is_not_measured_during_training_is_told(tmp_path: Path) -> None:
    _, cfg = begin(tmp_path, NEVER, monitor="val/f1")
    with pytest.raises(ConfigError, match=r"val/f1 is not measured during training; allowed objectives: .*val/loss"):
        train(cfg)
    assert result(cfg)["status"] == "failed"


def test_the_pruners_of_the_files_give_up_the_worst(tmp_path: Path) -> None:
    for name in ("median", "hyperband"):
        node = {**conf(f"pruner/{name}"), **({"max_resource": 81} if name == "hyperband" else {})}
        study = optuna.create_study(pruner=_made(node), study_name=name, sampler=optuna.samplers.RandomSampler(seed=0))
        for number in range(40):
            trial = study.ask()
            # later trials are worse
            pruned = next((epoch for epoch in range(81) if _reports(trial, number + 1 / (epoch + 1), epoch)), None)
            study.tell(trial, number) if pruned is None else study.tell(trial, state=TrialState.PRUNED)
        assert {trial.state for trial in study.trials[-10:]} == {TrialState.PRUNED}, name
        assert study.trials[0].state == TrialState.COMPLETE
    assert not any(tmp_path.iterdir())


def _made(node: dict[str, Any]) -> Any:
    from src.run.trial import make

    return make("pruner", node)


def _reports(trial: optuna.Trial, value: float, epoch: int) -> bool:
    trial.report(value, epoch)
    return trial.should_prune()
