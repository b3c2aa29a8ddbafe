"""`hydra/sweeper=optuna` from the command line to the study, with real training."""

import importlib.util
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState

import src.fit
import src.train
from src.run.trial import open_storage
from tests.waiting import completed

# whole commands, or whole trainings
pytestmark = pytest.mark.slow

SHORT = ("callbacks=none", "logger=none", "trainer=cpu", "trainer.max_epochs=3")
SEARCH = ("-m", "hydra/sweeper=optuna")
Command = Callable[..., None]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs `python -m src.train ...` in this process, and puts back what Hydra does to logging."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["src/train.py", *arguments])
        src.train.main()

    yield run
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], root.level = before


def trials(sweep_dir: Path) -> list[FrozenTrial]:
    study = optuna.load_study(study_name="sweep", storage=open_storage(f"sqlite:///{sweep_dir}/study.db"))
    return study.trials


def result(sweep_dir: Path, number: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((sweep_dir / str(number) / "result.json").read_text())
    return content


def test_a_search_leaves_runs_a_study_its_best_values_and_pictures(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (
        *(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "optimizer=sgd,adam", "model=mlp"),
        *("optimizer.lr=tag(log,interval(0.001,1))", "model.net.hidden=choice([8],[16,16])", "seed=range(0,5)"),
    )
    command(*asked, "hydra.sweeper.n_trials=3")
    out = capsys.readouterr().out
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    best = min(range(3), key=lambda number: float(result(tmp_path, number)["metrics"]["val/loss"]))
    assert (found["best_trial"], found["best_value"]) == (best, result(tmp_path, best)["metrics"]["val/loss"])
    stored = yaml.safe_load((tmp_path / str(best) / ".hydra" / "config.yaml").read_text())
    assert found["best_params"]["model.net.hidden"] == stored["model"]["net"]["hidden"]
    assert found["best_params"]["optimizer.lr"] == stored["optimizer"]["lr"]
    assert found["best_params"]["seed"] == stored["seed"]
    assert f"trial {best} again: python -m src.train" in out
    assert "<h3>val/loss by trial</h3>" in (tmp_path / "report.html").read_text()
    before = [result(tmp_path, number) for number in range(3)]
    command(*asked, "hydra.sweeper.n_trials=4")
    assert [result(tmp_path, number) for number in range(3)] == before
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE] * 4
    assert "study: 4 trials: 4 completed" in capsys.readouterr().out


def test_the_printed_command_trains_the_best_trial_again(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command(
        *("experiment=search/mlp_circles", "trainer.max_epochs=3", "hydra.sweeper.n_trials=1"),
        f"hydra.sweep.dir={tmp_path}/sweep",
    )
    (line,) = (line for line in capsys.readouterr().out.splitlines() if " again: " in line)
    words = line.partition("src.train ")[2].replace("'", "").split()
    command(*words, f"hydra.run.dir={tmp_path}/again")
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    assert again["metrics"] == result(tmp_path / "sweep", 0)["metrics"]


def test_several_objectives_give_a_pareto_front(tmp_path: Path, command: Command) -> None:
    command(
        *(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "model=mlp", "model.net.hidden=[2],[4],[8]"),
        *("hydra/sweeper/sampler=grid", "hydra.sweeper.objectives={test/accuracy: maximize, n_parameters: minimize}"),
    )
    done = trials(tmp_path)
    assert sorted(trial.values[1] for trial in done) == [9.0, 17.0, 33.0]
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    assert found["objectives"] == ["test/accuracy", "n_parameters"]
    smallest = next(row for row in found["solutions"] if row["params"] == {"model.net.hidden": [2]})
    assert smallest["values"] == [result(tmp_path, smallest["trial"])["metrics"]["test/accuracy"], 9.0]
    assert "<h3>Pareto front: test/accuracy and n_parameters</h3>" in (tmp_path / "report.html").read_text()


def test_a_pruner_ends_bad_trials(tmp_path: Path, command: Command) -> None:
    command(
        *(*SEARCH, *SHORT, "callbacks=default", "~callbacks.pictures", f"hydra.sweep.dir={tmp_path}"),
        *("trainer.max_epochs=30", "task.log_every_n_epochs=5", "hydra.sweeper.n_trials=4", "optimizer=adam"),
        *("hydra/sweeper/sampler=grid", "optimizer.lr=0.05,0.03,0.0001,0.00001", "hydra/sweeper/pruner=median"),
        *("hydra.sweeper.pruner.n_startup_trials=1", "hydra.sweeper.sampler.seed=3"),
    )
    done = trials(tmp_path)
    pruned = [trial for trial in done if trial.state == TrialState.PRUNED]
    assert pruned
    for trial in done:
        status = "pruned" if trial in pruned else "completed"
        assert result(tmp_path, trial.number)["status"] == status
    for trial in pruned:
        assert trial.last_step == result(tmp_path, trial.number)["epoch"] < 29
        assert trial.value == pytest.approx(result(tmp_path, trial.number)["metrics"]["val/loss"])


def test_a_pruner_wants_the_callback_that_asks_it(tmp_path: Path, command: Command, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        command(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "seed=0,1", "hydra/sweeper/pruner=median")
    assert "needs the callback callbacks.pruning" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, ran = src.fit.fit, []

    def run(*args: Any, **kwargs: Any) -> Any:
        ran.append(args)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr("src.fit.fit", run)
    asked = (*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "optimizer.lr=interval(0,1)", "hydra.sweeper.n_trials=3")
    with pytest.raises(SystemExit) as end:
        command(*asked)
    assert end.value.code == 130
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "RUNNING"]
    command(*asked)
    assert [trial.state.name for trial in trials(tmp_path)] == ["COMPLETE", "COMPLETE", "COMPLETE"]
    assert len(ran) == 4


def test_a_failed_job_does_not_end_the_search(tmp_path: Path, command: Command) -> None:
    with pytest.raises(SystemExit) as end:
        command(
            *(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "hydra/sweeper/sampler=grid"),
            *("data.noise=0.03,-1", "model=circle_v2,blob"),
        )
    assert end.value.code == 1
    done = trials(tmp_path)
    assert sorted(trial.state.name for trial in done) == ["COMPLETE", "FAIL", "FAIL", "FAIL"]
    errors = [str(trial.user_attrs["error"]) for trial in done if trial.state == TrialState.FAIL]
    assert any("model=blob does not fit data=circles" in error for error in errors)
    assert any("data.noise" in error for error in errors)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["hydra.sweeper.n_trial=3"],
            "hydra.sweeper.n_trial (command line: hydra.sweeper.n_trial=3): unknown key",
        ),
        (["hydra/sweeper/sampler=tpee"], "did you mean tpe? options of hydra/sweeper/sampler: cmaes, grid, nsgaii"),
        (["hydra/sweeper/pruner=medan"], "did you mean median? options of hydra/sweeper/pruner: hyperband, median"),
        (["hydra.sweeper.objectives={test/accurcy: maximize}"], "test/accurcy is not measured; allowed: train/loss"),
        (
            ["optimizer.lrr=interval(0,1)"],
            "optimizer.lrr (command line: optimizer.lrr=interval(0,1)): unknown key",
        ),
        (["model=circle_v2,mlpp"], "mlpp"),
    ],
)
def test_a_mistake_is_told_before_a_study_is_begun(
    arguments: list[str], message: str, tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "seed=0,1", *arguments)
    assert end.value.code == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "study.db").exists()


def test_without_optuna_the_extra_is_named(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *a: None if name == "optuna" else real(name, *a))
    with pytest.raises(SystemExit):
        command(*SEARCH, *SHORT, f"hydra.sweep.dir={tmp_path}", "seed=0,1")
    assert "needs the package optuna: pip install -e .[sweeps]" in capsys.readouterr().err


def test_commands_that_train_nothing_load_neither_optuna_nor_torch() -> None:
    script = (
        "import sys; sys.argv = ['src/train.py', '--help']; from src.train import main; main()\n"
        "from hydra.core.plugins import Plugins; from hydra.plugins.sweeper import Sweeper\n"
        "print([each.__name__ for each in Plugins.instance().discover(Sweeper)])\n"
        "print([name for name in ('optuna', 'sqlalchemy', 'torch', 'src.sweep') if name in sys.modules])"
    )
    done = completed(sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    sweepers, loaded = done.stdout.splitlines()[-2:]
    assert "OptunaSweeper" in sweepers
    assert loaded == "[]"


@pytest.mark.slow
def test_jobs_of_joblib_run_side_by_side_and_report_to_one_study(tmp_path: Path, command: Command) -> None:
    command(
        *(*SEARCH, *SHORT, "callbacks=default", f"hydra.sweep.dir={tmp_path}", "optimizer.lr=interval(0,1)"),
        *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=2"),
        *("hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=9"),
    )
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE] * 2
    assert all(list(trial.intermediate_values) == [0, 1, 2] for trial in trials(tmp_path))
    assert {trial.value for trial in trials(tmp_path)} == {
        result(tmp_path, number)["metrics"]["val/loss"] for number in range(2)
    }


@pytest.mark.slow
def test_tpe_finds_what_makes_the_published_network_separate_the_rings(tmp_path: Path, command: Command) -> None:
    command(
        *(*SEARCH, "model=circle_v2", "data=circles", "callbacks=none", "logger=none", "trainer=cpu"),
        *("optimizer.lr=tag(log,interval(0.01,1))", "optimizer.momentum=interval(0,0.99)"),
        *(f"hydra.sweep.dir={tmp_path}", "hydra.sweeper.n_trials=16"),
    )
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    losses = [result(tmp_path, number)["metrics"]["val/loss"] for number in range(16)]
    # what it chose by validation is right on test, and better than what chance had found before it began to learn
    assert found["best_value"] == min(losses) < min(losses[:10])
    assert result(tmp_path, found["best_trial"])["metrics"]["test/accuracy"] >= 0.99
    stored = yaml.safe_load((tmp_path / "0" / ".hydra" / "config.yaml").read_text())
    assert stored["trainer"]["max_epochs"] == "${suggested.max_epochs}"
    assert stored["suggested"]["max_epochs"] == 1000


@pytest.mark.slow
def test_the_search_preset_comes_to_what_its_file_expects(tmp_path: Path, command: Command) -> None:
    command("experiment=search/mlp_circles", f"hydra.sweep.dir={tmp_path}", "hydra.sweeper.n_trials=6")
    found = yaml.safe_load((tmp_path / "optimization_results.yaml").read_text())
    best = result(tmp_path, found["best_trial"])
    assert found["best_params"]["optimizer"] == "adam"
    assert found["best_params"]["model.net.hidden"] == [32, 32]
    assert 0.01 <= found["best_params"]["optimizer.lr"] <= 0.1
    assert found["best_value"] < 0.01
    assert best["metrics"]["test/accuracy"] == 1
    sgd = [trial for trial in trials(tmp_path) if trial.params["optimizer"] == "sgd"]
    assert sgd
    assert all((trial.value or 0) > 0.5 for trial in sgd)
