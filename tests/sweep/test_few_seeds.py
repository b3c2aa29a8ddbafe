"""A sweep that has too few seeds for any answer says so before it trains."""

import pytest

from src.analysis.stats.interval import LEVEL
from src.analysis.stats.planning import fewest
from src.sweep.few_seeds import few_seeds
from tests.sweep.configs import composed

pytestmark = pytest.mark.usefixtures("hydra")


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("model=circle_v1,circle_v2", "seed=range(0,5)"), "5 seeds for each of 2 groups"),
        (("model=circle_v1,circle_v2", "seed=range(0,6)"), None),
        (("optimizer.lr=0.1,0.2,0.3", "seed=range(0,6)"), "it takes 7 or more"),
        (("optimizer.lr=0.1,0.2,0.3", "seed=range(0,7)"), None),
        (("optimizer.lr=0.1,0.2,0.3", "model=circle_v1,circle_v2", "seed=range(0,9)"), "6 groups are too few"),
        # whose seeds are the groups
        (("optimizer.lr=range(1,6)",), None),
        (("seed=range(0,5)",), None),
        # ranks tell of several data sets
        (("data=circles,moons", "model=mlp", "seed=range(0,3)"), None),
        (("data=iris", "model=mlp", "data.folds=5", "data.fold=range(0,5)", "optimizer.lr=0.1,0.2"), None),
        # adds them itself
        (("model=circle_v1,circle_v2", "sweep.until=clear", "sweep.max_seeds=5"), None),
    ],
)
def test_it_is_told_before(overrides: tuple[str, ...], said: str | None) -> None:
    found = few_seeds(composed(*overrides))
    assert (found is None) == (said is None), found
    assert said is None or said in str(found)


def test_pages_say_as_much() -> None:
    found = {k: fewest((1 - LEVEL) / (k * (k - 1) / 2)) for k in (2, 3, 4, 6, 10)}
    assert found == {2: 6, 3: 7, 4: 8, 6: 10, 10: 11}
