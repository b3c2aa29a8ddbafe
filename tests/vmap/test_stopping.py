"""Callbacks that end the training of some models."""

import io

import torch

from src.vmap.stopping import Stopping, stopping_nodes

NODE = {
    "_target_": "src.callbacks.early_stopping.EarlyStopping",
    "monitor": "val/loss",
    "mode": "min",
    "min_delta": 0.0,
    "patience": 1,
}


def measured(*losses: float) -> dict[str, torch.Tensor]:
    return {"train/loss": torch.zeros(len(losses)), "val/loss": torch.tensor(losses)}


def test_each_model_stops_by_its_own_numbers() -> None:
    stopping = Stopping([[NODE], [{**NODE, "patience": 2}], [{**NODE, "min_delta": 0.5}], []])
    rows = [(1.0, 1.0, 1.0, 1.0), (0.9, 1.1, 0.6, 1.2), (0.8, 1.2, 0.4, 1.3), (0.9, 0.8, 0.3, 1.4)]
    found = [stopping.look(measured(*row), epoch=i).tolist() for i, row in enumerate(rows)]
    assert found == [
        [False, False, False, False],
        [False, False, True, False],
        [False, True, False, False],
        [True, False, True, False],
    ]


def test_all_callbacks_of_a_model_look() -> None:
    stopping = Stopping([[NODE, {**NODE, "monitor": "train/loss", "patience": 3}]])
    for epoch in range(2):
        stopping.look(measured(1.0), epoch=epoch)
    waited = {key: state["wait_count"] for key, state in stopping.states_of(0).items()}
    assert waited == {
        "EarlyStopping{'monitor': 'val/loss', 'mode': 'min'}": 1,
        "EarlyStopping{'monitor': 'train/loss', 'mode': 'min'}": 1,
    }


def test_what_has_been_seen_is_stored_and_taken_up() -> None:
    nodes = [[{**NODE, "patience": 2}], [{**NODE, "patience": 3}], []]
    first, later = Stopping(nodes), Stopping(nodes)
    for epoch in range(2):
        first.look(measured(1.0, 1.0, 1.0), epoch=epoch)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    later.load_state_dict(torch.load(file, weights_only=True))
    assert later.look(measured(1.0, 1.0, 1.0), epoch=2).tolist() == [True, False, False]
    # a state holds the numbers of its own model only
    (state,) = first.states_of(0).values()
    assert state["best_score"].untyped_storage().nbytes() == 4


def test_callbacks_that_stop_are_found_by_their_class() -> None:
    nodes = {"early_stopping": NODE, "progress": {"_target_": "src.callbacks.progress.EpochBar"}, "summary": None}
    assert stopping_nodes(nodes) == {"early_stopping": NODE}
