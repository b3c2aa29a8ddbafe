"""What Hydra documents of callbacks and of a job's environment holds for stacked jobs."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import HydraContext
from omegaconf import OmegaConf

from src.run.directory import RunDir
from src.vmap.job_callbacks import JobCallbacks
from tests.launch.commands import Launcher
from tests.tasks.runs import QUIET
from tests.vmap.stacked_jobs import make_jobs
from tests.vmap.test_run import hydra, sweep  # noqa: F401 - a fixture

SMALL = (*QUIET, "model=circle_v1", "trainer.max_epochs=3")
NOISY = 'data.noise="${oc.decode:${oc.env:NOISE}}"'


def heard(path: Path) -> dict[int, list[dict[str, Any]]]:
    """What a callback was told of each job; values of metrics in four digits."""
    found: dict[int, list[dict[str, Any]]] = {}
    for line in path.read_text().splitlines():
        call = json.loads(line)
        # how many have ended before is another matter in a stack
        assert call.pop("calls") >= 0
        if "value" in call:
            call["value"] = f"{float(call['value']):.4f}"
        found.setdefault(call["num"], []).append(call)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "joblib"])
def test_callbacks_hear_of_stacked_jobs_what_they_hear_of_single_runs(executor: str, tmp_path: Path) -> None:
    told = {}
    settings = [f"hydra.launcher.executor={executor}", "hydra.launcher.engines.joblib.n_jobs=1"]
    for launcher in (Launcher("basic"), Launcher("vmap", settings)):
        file = tmp_path / f"{launcher.name}.json"
        callback = ["+hydra.callbacks.heard._target_=tests.vmap.heard.Heard", f"+hydra.callbacks.heard.file={file}"]
        given = [*SMALL, *callback, "+hydra.job.env_set.NOISE='0.2'", NOISY, "optimizer.lr=0.1,-1", "seed=1,2"]
        status, output = launcher.run(tmp_path / launcher.name, *given)
        # two jobs have a rate that is refused
        assert status == 1, output
        told[launcher.name] = heard(file)
    assert told["basic"].keys() == {0, 1, 2, 3}
    assert [call["what"] for call in told["basic"][0]] == ["start", "end", "return"]
    assert [call["env"] for call in told["basic"][0][:2]] == ["0.2", None]
    assert told["vmap"] == told["basic"]
    assert "hears the beginning" in (tmp_path / "vmap" / "0" / "train.log").read_text()


@pytest.mark.slow
def test_jobs_of_another_environment_are_stacked_apart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, noise in (("loud", "0.3"), ("silent", "0.0")):
        (tmp_path / "conf" / "variant").mkdir(parents=True, exist_ok=True)
        text = f"# @package _global_\nhydra: {{job: {{env_set: {{NOISE: '{noise}'}}}}}}\n"
        (tmp_path / "conf" / "variant" / f"{name}.yaml").write_text(text)
    caplog.set_level(logging.INFO)
    path = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    done, alone = sweep(path, "variant=loud,silent", "seed=1,2", NOISY, sweep_dir=tmp_path / "own")
    expected, _ = sweep("data.noise=0.3,0.0", "seed=1,2", sweep_dir=tmp_path / "plain")
    assert not alone
    assert "hydra.job.env_set has 2 values" in caplog.text
    assert [one.return_value for one in done] == pytest.approx([one.return_value for one in expected], abs=1e-6)
    assert "NOISE" not in os.environ


@pytest.mark.parametrize("given", ["hydra.job.chdir=true", "hydra.output_subdir=own"])
def test_what_hydra_does_for_one_job_at_a_time_is_no_matter_of_a_stack(
    given: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    _, alone = sweep(given, "seed=1,2", sweep_dir=tmp_path)
    assert alone == [0, 1]
    assert f"2 run one by one (job 0, 1): {given.replace('true', 'True')}" in caplog.text


class Remembers(Callback):
    def __init__(self) -> None:
        self.began, self.ended = -1, [(-1, -1)]

    def on_job_start(self, config: Any, **_: Any) -> None:
        self.began = config.hydra.job.num

    def on_job_end(self, config: Any, job_return: JobReturn, **_: Any) -> None:  # noqa: ARG002
        self.ended = [*self.ended, (config.hydra.job.num, self.began)]


class Several:
    """Hydra's object for all callbacks of a sweep."""

    def __init__(self, *callbacks: Callback) -> None:
        self.callbacks = callbacks

    def on_job_start(self, **told: Any) -> None:
        for each in self.callbacks:
            each.on_job_start(**told)

    def on_job_end(self, **told: Any) -> None:
        for each in self.callbacks:
            each.on_job_end(**told)


def test_a_callback_finds_at_the_end_of_a_job_what_it_kept_at_its_beginning(tmp_path: Path) -> None:
    jobs = make_jobs(SMALL, [("seed=1",), ("seed=2",)], tmp_path)
    remembers = Remembers()
    context = HydraContext(config_loader=None, callbacks=Several(Callback(), remembers))  # type: ignore[arg-type]
    callbacks = JobCallbacks(context, lambda _: None)
    callbacks.start(jobs)
    assert remembers.began == 1
    # its stack has failed, so that it runs by itself
    config = OmegaConf.create({"hydra": {"job": {"num": 1}}})
    callbacks.context.callbacks.on_job_start(config=config, task_function=lambda _: None)
    callbacks.context.callbacks.on_job_end(config=config, job_return=JobReturn())
    callbacks.end(jobs[0], JobReturn())
    assert remembers.ended == [(-1, -1), (1, 1), (0, 0)]


def test_no_directory_is_made_for_callbacks_that_do_not_listen(tmp_path: Path) -> None:
    (job,) = make_jobs(SMALL, [("seed=1",)], tmp_path)
    context = HydraContext(config_loader=None, callbacks=Several(Callback()))  # type: ignore[arg-type]
    callbacks = JobCallbacks(context, lambda _: None)
    callbacks.start([job])
    callbacks.end(job, JobReturn())
    assert not RunDir(job.run_dir).path.exists()
