"""Networks of one's own that are stacked compute what their single runs compute."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.vmap.proof.own import EACH, Net, assert_like_single_runs, own_jobs


class Temperature(Net):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / self.temperature


class Tied(nn.Module):
    """One matrix with two names."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.again, self.outer = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.outer.weight = self.again.weight
        self.last = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.last(torch.tanh(self.outer(torch.tanh(self.again(torch.tanh(self.inner(x)))))))
        return outputs


class Frozen(Net):
    """The first matrix stays as its seed has drawn it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner.weight.requires_grad = False


class Fourier(nn.Module):
    """Features that the seed draws, in a buffer that training does not change; with a whole number beside them."""

    directions: Tensor
    times: Tensor

    def __init__(self, *, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(2, 5), persistent=persistent)
        self.register_buffer("times", torch.tensor(2))
        self.outer = nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.times * x @ self.directions))
        return outputs


class Forgotten(Fourier):
    """In a buffer that no checkpoint holds."""

    def __init__(self) -> None:
        super().__init__(persistent=False)


class Normed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


class NormedOnce(Normed):
    """With statistics that stay as they are, and weights that train."""

    def __init__(self) -> None:
        super().__init__()
        self.norm.eval()


class NormedByBatch(Normed):
    """Without running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2, track_running_stats=False)


class MovingMean(Net):
    """A buffer that is put anew at every step."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return super().forward(x - self.mean)


class Dropping(Net):
    """Dropout of inputs and of units, as modules and as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.dropout(x, 0.1, self.training)
        outputs: Tensor = self.outer(self.dropout(torch.sin(self.inner(x))))
        return outputs


class Noisy(Net):
    """Noise on the inputs, drawn in three ways."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + 0.1 * torch.randn_like(x) + 0.1 * torch.rand(2)
            x = x + torch.empty_like(self.inner(x)[:, :2]).normal_(0, 0.1)
        return super().forward(x)


class Words(nn.Module):
    """Rows of an embedding that are shortened in place whenever they are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.outer = nn.Embedding(3, 4, max_norm=1.0), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(self.words((x[:, 0] > 0).long() + (x[:, 1] > 0).long()))
        return outputs


class AlphaDropping(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.alpha_dropout(x, 0.2, self.training))


class Attending(nn.Module):
    """A layer of a transformer over three words, with dropout of attention, of units and of what is added."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.outer = nn.Linear(2, 3 * 8), nn.Linear(8, 1)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(self.layer(self.words(x).view(-1, 3, 8)).mean(1))
        return outputs


class Choosing(Net):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x * nn.functional.gumbel_softmax(self.inner(x)[:, :2])
        return super().forward(x)


class Coins(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * torch.bernoulli(torch.full((2,), 0.5)) if self.training else x)


class Leaky(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.rrelu(x, training=self.training))


class Sampling(Net):
    """Two normal distributions, around what is learnt and with what is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        sampled = torch.distributions.Normal(x, self.spread(x).abs() + 0.1).rsample()
        return super().forward(sampled + 0.1 * torch.normal(x, x.abs()))


class Straight(Net):
    """Rounds by chance, with a gradient as if it did not."""

    def forward(self, x: Tensor) -> Tensor:
        share = torch.sigmoid(super().forward(x))
        return share + (torch.bernoulli(share) - share).detach() if self.training else share


class Filling(Net):
    """Fills a tensor of its own, column by column."""

    def forward(self, x: Tensor) -> Tensor:
        filled = torch.zeros(len(x), 2)
        for i, column in enumerate(x.unbind(1)):
            filled[:, i] = column * self.inner.bias[0]
        return super().forward(filled)


class Unused(Net):
    """A layer that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)


STACKED = [
    Net,
    Temperature,
    Tied,
    Frozen,
    Fourier,
    Forgotten,
    Normed,
    NormedOnce,
    NormedByBatch,
    MovingMean,
    Dropping,
    Noisy,
    Words,
    AlphaDropping,
    Attending,
    Choosing,
    Coins,
    Leaky,
    Sampling,
    Straight,
    Filling,
    Unused,
]


# what Lightning says of a part in evaluation mode
@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")
@pytest.mark.slow
@pytest.mark.parametrize("batches", [False, True], ids=["whole", "batches"])
@pytest.mark.parametrize("kind", STACKED)
def test_these_networks_are_stacked(kind: type[nn.Module], tmp_path: Path, *, batches: bool) -> None:
    # a key's bias moves no output of attention: what gradient it has is rounding, by which Adam goes
    optimizer = "sgd" if kind is Attending else "adam"
    common = ["data.batch_size=150", f"optimizer={optimizer}"] if batches else []
    found = assert_like_single_runs(own_jobs(tmp_path / "together", *common, net=kind), tmp_path / "alone")
    assert [len(stack.jobs) for stack in found.stacks] == [len(EACH)], [reason for _, reason in found.single]
