"""What follows the seed of a run, and what does not."""

from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from src.build import Built, build
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.config.seeds import seeds_of_data, varied
from src.config.stored import missing
from src.run.directory import RunDir
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.sweep.commands import run
from tests.tasks.runs import QUIET, small
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, train_alone

SMALL = ("data=circles", "model=circle_v2", "data.n_samples=100", "data.n_val=20", "data.batch_size=16")


def built(*given: str) -> Built:
    return build(small(*SMALL, *given, run_dir=Path("never-written")))


def drawn(made: Built) -> dict[str, Tensor]:
    """What each source has drawn: points sorted, so that no split shows, which of them test, weights, and the order."""
    parts = made.datamodule.parts
    points = torch.cat([parts.train.x, parts.test.x])
    return {
        "data": points[points[:, 0].sort().indices],
        "val": parts.val.x,
        "split": points[:, 0].argsort(),
        "init": torch.cat([each.detach().flatten() for each in made.task.net.parameters()]),
        "order": torch.tensor(made.datamodule.batch_seed),
    }


def follows(*given: str) -> set[str]:
    """What another seed changes."""
    one, other = (drawn(built(*given, f"seed={seed}")) for seed in (1, 2))
    return {name for name, value in one.items() if not torch.equal(value, other[name])}


def test_weights_and_order_follow_the_seed_and_the_data_are_one_draw() -> None:
    assert follows() == {"init", "order"}
    assert follows("vary=[order,init]") == {"init", "order"}


def test_what_is_listed_follows_the_seed_and_nothing_else_does() -> None:
    assert follows("vary=[init]") == {"init"}
    assert follows("vary=[order]") == {"order"}
    assert follows("vary=[split]") == {"split"}
    # other points have another place in the same order
    assert follows("vary=[data]") - {"split"} == {"data", "val"}
    assert follows("vary=[data,split,init,order]") == {"data", "val", "split", "init", "order"}


def test_what_is_not_listed_is_that_of_the_base_seed() -> None:
    plain, fixed = drawn(built("seed=5")), drawn(built("seed=9", "base_seed=5", "vary=[split]"))
    assert torch.equal(plain["init"], fixed["init"])
    assert not torch.equal(plain["split"], fixed["split"])
    assert torch.equal(drawn(built("seed=5"))["order"], drawn(built("seed=9", "base_seed=5", "vary=[init]"))["order"])


def test_a_draw_is_that_of_the_configuration_and_a_thousand_further_for_each_seed() -> None:
    by_seed = drawn(built("vary=[data,split]", "seed=3"))
    by_hand = drawn(built("data.seed=3042", "data.val_seed=3043", "data.split_seed=3042"))
    assert torch.equal(by_seed["split"], by_hand["split"])
    assert torch.equal(by_seed["val"], by_hand["val"])
    zero, named = drawn(built("vary=[data,split]", "seed=0")), drawn(built())
    assert torch.equal(zero["split"], named["split"])
    assert torch.equal(zero["val"], named["val"])


def test_a_key_that_refers_to_the_seed_follows_it_as_it_says() -> None:
    cfg = small(*SMALL, "vary=[data]", "seed=7", run_dir=Path("never-written"))
    cfg.data.seed = "${seed}"
    assert seeds_of_data(cfg) == {"val_seed": 7043, "batch_seed": 42}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("data=line", "model=line", "vary=[data,init]"), "got data, but these data .* have no data.seed; allowed: "),
        (("data=line", "model=line", "vary=[split]"), "got split, .* have no data.split_seed; allowed: "),
        (
            ("data.batch_size=null", "vary=[order]"),
            "got order alone, .* every seed would give the same run; allowed: data, split, init",
        ),
    ],
)
def test_what_draws_nothing_is_refused(given: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=f"vary: {words}"):
        build(small(*given, run_dir=Path("never-written")))


@pytest.mark.parametrize("given", ["vary=[]", "vary=[weights]", "vary=[init,init]", "vary=init", "vary=null"])
def test_a_list_of_other_words_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"vary.*: got .*; allowed: a list of one or more of data, split, init and"):
        small(given, run_dir=Path("never-written"))


def test_a_stored_configuration_of_other_words_is_refused() -> None:
    assert [line for line in missing({"vary": 5, "base_seed": "x"}) if "vary" in line or "base_seed" in line] == [
        "vary: got '5'; allowed: a list of one or more of data, split, init and order, each once",
        "base_seed: got 'x'; allowed: a whole number from 0 to 4294967295",
    ]


def test_what_varies_is_told_of_a_stored_configuration() -> None:
    def of(*given: str) -> tuple[str, ...]:
        cfg: DictConfig = small(*given, run_dir=Path("never-written"))
        return varied(flatten(cfg))

    assert of(*SMALL) == ("init", "order")
    assert of(*SMALL, "vary=[data,split]") == ("data", "split")
    # one batch has no order
    assert of("data=circles", "model=circle_v2") == ("init",)
    # one that was stored before there was a list
    assert varied({"seed": 1, "data.batch_size": 4, "data.batch_seed": "${seed}"}) == ("init", "order")
    assert varied({"seed": 1, "data.seed": "${seed}", "data.batch_size": None}) == ("data", "init")


def test_stacked_jobs_draw_what_their_single_runs_draw(tmp_path: Path) -> None:
    common = (*SMALL, "trainer.max_epochs=2", "callbacks=default", "callbacks.pictures=null", "vary=[data,split,init]")
    each = [(f"seed={seed}", f"base_seed={base}") for seed in (0, 1) for base in (5, 6)]
    jobs = make_jobs(common, each, tmp_path / "stacked")
    planned = plan(jobs)
    (stack,) = planned.stacks
    assert not planned.single
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        found, expected = (tmp_path / place / str(job.number) for place in ("stacked", "alone"))
        assert_near(
            checkpoint_of(found, "last")["state_dict"], checkpoint_of(expected, "last")["state_dict"], atol=1e-5
        )
        assert_near(result_of(found)["metrics"], result_of(expected)["metrics"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "vmap"])
@pytest.mark.parametrize("source", ["data", "split"])
def test_launchers_draw_what_is_listed_for_a_seed_and_all_else_for_a_base_seed(
    source: str, launcher: str, tmp_path: Path
) -> None:
    # no step moves a weight so far that it shows, so that those at the end are the initial ones
    common = (*QUIET, *SMALL, "trainer.max_epochs=1", f"vary=[{source}]", f"hydra/launcher={launcher}")
    seeds = ("seed=1,2", "base_seed=5,6")
    for name, lr in (("still", "1e-12"), ("moving", "0.1")):
        given = (*common, f"optimizer.lr={lr}", *seeds, f"hydra.sweep.dir={tmp_path}/{name}")
        assert run("-m", *given, output=tmp_path / "output") == 0, (tmp_path / "output").read_text()
    by_seeds = {
        (int(cfg["seed"]), int(cfg["base_seed"])): folder.name
        for folder in (tmp_path / "still").glob("[0-9]")
        for cfg in [RunDir(folder).config()]
    }
    assert len(by_seeds) == 4

    def weights(name: str, seed: int, base: int) -> Tensor:
        state = checkpoint_of(tmp_path / name / by_seeds[seed, base], "last")["state_dict"]
        return torch.cat([each.flatten() for each in state.values()])

    def same(name: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
        return torch.allclose(weights(name, *one), weights(name, *other), atol=1e-6)

    initial = drawn(built("seed=5"))["init"]
    assert torch.allclose(weights("still", 1, 5), initial, atol=1e-6)
    assert same("still", (1, 5), (2, 5))
    assert same("still", (1, 6), (2, 6))
    assert not same("still", (1, 5), (1, 6))
    assert not same("moving", (1, 5), (2, 5))
    # with the data that are drawn and the order of the batches a run has the weights of one that is told them by hand
    moved = {"data": ("data.seed=1042", "data.val_seed=1043"), "split": ("data.split_seed=1042",)}[source]
    (alone,) = make_jobs([*SMALL, "trainer.max_epochs=1", "optimizer.lr=0.1", *moved], [["seed=5"]], tmp_path / "s")
    train_alone([alone], tmp_path / "alone")
    state = checkpoint_of(tmp_path / "alone" / "0", "last")["state_dict"]
    assert torch.allclose(weights("moving", 1, 5), torch.cat([each.flatten() for each in state.values()]), atol=1e-5)
