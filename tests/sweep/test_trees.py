"""Jobs as plain containers: what OmegaConf makes of them, and left to it where text does not do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from src.config.compose import CONF_DIR
from src.config.origins import hydra_at
from src.sweep.jobs import Job, compose_jobs, environment_of
from src.sweep.values import expand
from tests.sweep.test_jobs import composed


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    with hydra_at(CONF_DIR):
        yield


def jobs_of(*overrides: str) -> list[Job]:
    config = composed(*overrides)
    return list(compose_jobs(config, expand(config) or []))


PLAIN = [
    ("seed=1,2", "model=circle_v1,mlp", "optimizer.lr=0.1,1e-3,1"),
    ("seed=range(0,3)", "model=mlp", "model.net.hidden=[4],[8,8]", "model.net.activation=relu,tanh"),
    ("run_dir=elsewhere/${seed}", "seed=1,2"),
    ("run_dir='~/here/${hydra:job.num}_${model.name}'", "seed=1,2"),
    ("seed=1,2", "hydra.sweep.subdir=s${seed}_${hydra.job.num}", "hydra.job.name=x"),
    (
        "seed=1,2",
        "hydra.sweep.subdir=${hydra:job.num}_${hydra.runtime.version}",
        "+hydra.job.env_set.A=b${hydra.job.num}",
    ),
    ("seed=1,2", "hydra.sweep.dir=some/where_${unique:}_${now:%Y}"),
    ("suggested.lr=0.5,0.25", "trainer.max_epochs=3"),
    ("suggested.max_epochs=7,8", "data=blobs", "optimized_metric='val/f1'"),
    ("trainer.max_epochs=3,${suggested.max_epochs}", "data.batch_seed=${data.seed},4"),
    ("data=breast_cancer", "data.folds=3", "data.fold=range(3)", "scheduler=cosine"),
    ("seed=1,2", "resume=extend", "init_from=null"),
    ("callbacks.pictures.draw=[data],[curves]", "seed=1"),
    ("optimizer=adam", "optimizer.betas=[0.9,0.99],[0.8,0.9]"),
    ("evaluate=best,last", "compile=false"),
]

LEFT = [
    ("seed=1,2", "+optimizer.dampening=0.5"),
    ("seed=1,2", "~callbacks.pictures"),
    ("seed=1,2", "trainer={max_epochs:3}"),
    ("seed=1,2", "model.name=${oc.env:HOME}"),
    ("seed=1,2", "model.name='a\\${seed}'"),
    ("seed=1,2", "data.batch_seed=${.seed}"),
    ("seed=1,2", "model.name='${model.${evaluate}}'"),
    ("optimizer.lr=0.1,0.2", "suggested=${optimizer}"),
]


@pytest.mark.parametrize("given", PLAIN, ids=" ".join)
def test_a_job_of_plain_values_is_what_omegaconf_makes_of_it(given: tuple[str, ...]) -> None:
    for job in jobs_of(*given):
        alone = replace(job, parts=None)
        assert job.parts is not None
        assert OmegaConf.to_container(alone.cfg, resolve=False) == {**job.asked, "run_dir": str(alone.run_dir)}
        assert repr(job.asked) == repr(alone.asked)
        assert repr(job.resolved) == repr(alone.resolved)
        assert repr(job.hydra) == repr(alone.hydra)
        assert job.texts() == alone.texts()
        assert job.log_files == alone.log_files
        assert job.run_dir == alone.run_dir
        assert environment_of(job) == environment_of(alone)
        assert job.of_hydra("job.name") == alone.of_hydra("job.name")


@pytest.mark.parametrize("given", LEFT, ids=" ".join)
def test_what_is_more_than_plain_values_is_left_to_omegaconf(given: tuple[str, ...]) -> None:
    assert [job.parts for job in jobs_of(*given)] == [None, None]


def test_what_jobs_change_is_told_from_the_first_that_gives_values_to_the_same_keys(tmp_path: Path) -> None:
    jobs = jobs_of("seed=1,1.0,2", "optimizer.lr=0.1", f"hydra.sweep.dir={tmp_path}")
    changed = [job.parts.changed for job in jobs if job.parts is not None]
    first, second = str(tmp_path / "1"), str(tmp_path / "2")
    save = "logger.csv.save_dir", "logger.tensorboard.save_dir"
    assert changed[0] == {}
    # 1.0 is no seed
    assert repr(changed[1]) == repr(
        {"seed": 1.0, "data.batch_seed": 1.0, **dict.fromkeys(save, first), "run_dir": first}
    )
    assert changed[2] == {"seed": 2, "data.batch_seed": 2, **dict.fromkeys(save, second), "run_dir": second}


def test_jobs_share_what_they_do_not_change() -> None:
    one, other = jobs_of("seed=1,2")
    assert one.resolved["optimizer"] is other.resolved["optimizer"]
    assert one.resolved["data"] is not other.resolved["data"]
    assert one.asked["data"] is other.asked["data"]
