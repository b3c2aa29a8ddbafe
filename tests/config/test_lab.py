"""Options from outside the repository are composed, checked and explained as its own."""

from pathlib import Path

import pytest
from omegaconf import DictConfig

from src.build import build
from src.config import folders
from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError
from tests.config.tree import THING, THING_YAML, Run, message

MODEL = f"name: own\ntask: null\nnet:\n  {THING_YAML.replace(chr(10), chr(10) + '  ')}\n"
DATA = "# @package _global_\ndefaults:\n  - override /loss: thing\ndata:\n  _target_: my_lab.parts.Thing\n  size: 3\n"

FILES = {
    "model/own": MODEL,
    "model/no_task": MODEL.replace("task: null\n", ""),
    "model/no_model": DATA,
    "models/moved": MODEL,
    "data/own": DATA,
    "data/no_package": DATA.split("\n", 1)[1],
    "data/no_package_no_defaults": "data:\n  _target_: my_lab.parts.Thing\n  size: 3\n",
    "data/no_data": MODEL,
    "data/wrong_class": DATA.replace("Thing", "Thin"),
    "data/wrong_package": DATA.replace("my_lab", "my_leb"),
    "data/wrong_key": DATA.replace("size", "siez"),
    "data/wrong_override": DATA.replace("/loss", "/lose"),
    "data/wrong_option": DATA.replace("loss: thing", "loss: thign"),
    "data/wrong_syntax": "data\n  size: 3\nloss: 1\n",
    "logger/wrong_reference": "own:\n  _target_: thing.Thing\n  size: ${data.siez}\n",
}


@pytest.fixture
def lab(conf: Path) -> Path:
    """Folder of a lab's options, beside the folder in which the tree of the repository lies."""
    folder = conf.parent / "my_lab" / "conf"
    for name, text in FILES.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder.parent / "parts.py").write_text(THING)
    return folder


@pytest.mark.parametrize(
    "given",
    [
        ["--config-dir", "my_lab/conf"],
        ["--config-dir=my_lab/conf"],
        ["-cd", "my_lab/conf"],
        ["hydra.searchpath=[file://{lab}]"],
        ["hydra.searchpath=[pkg://my_lab.conf]"],
    ],
)
def test_options_of_a_lab_are_chosen_as_those_of_the_repository(given: list[str], start: Run, lab: Path) -> None:
    seen: list[DictConfig] = []
    start(*(word.format(lab=lab) for word in given), "data=own", "model=own", function=seen.append)
    assert (seen[0].data.size, seen[0].model.name) == (3, "own")


def test_two_folders_are_searched(start: Run, lab: Path) -> None:
    other = lab.parent / "more" / "model"
    other.mkdir(parents=True)
    (other / "second.yaml").write_text(MODEL.replace("own", "second"))
    seen: list[DictConfig] = []
    more = ["hydra.searchpath=[file://my_lab/more]", "data=own", "model=second"]
    start("--config-dir", "my_lab/conf", *more, function=seen.append)
    assert (seen[0].data.size, seen[0].model.name) == (3, "second")


MISTAKES = [
    ("model=no_task", "model.task (my_lab/conf/model/no_task.yaml): no value; give +model.task=..."),
    (
        "model=no_model",
        "model: no value; model=no_model gives none: my_lab/conf/model/no_model.yaml may belong to another",
    ),
    (
        "model=onw",
        "model=onw (command line: model=onw): no such option; did you mean own? options of model: no_model, ",
    ),
    (
        "model=moved",
        "model=moved (command line: model=moved): no such option; options of model: no_model, no_task, own, thing; "
        "my_lab/conf/models/moved.yaml lies in another folder than model/",
    ),
    (
        "data=no_package",
        "override loss (my_lab/conf/data/no_package.yaml): it chooses for the whole run; its file should begin with "
        "`# @package _global_`",
    ),
    (
        "data=no_package_no_defaults",
        "data (my_lab/conf/data/no_package_no_defaults.yaml): data=no_package_no_defaults has no _target_ but a key "
        "data; its file should begin with `# @package _global_`",
    ),
    (
        "data=no_data",
        "data (my_lab/conf/data/no_data.yaml): data=no_data has no _target_ but a key net; its file belongs to",
    ),
    (
        "data=wrong_class",
        "data._target_ (my_lab/conf/data/wrong_class.yaml, line 5): my_lab.parts.Thin does not exist, my_lab.parts has "
        "no Thin; did you mean Thing?",
    ),
    (
        "data=wrong_package",
        "data._target_ (my_lab/conf/data/wrong_package.yaml, line 5): got 'my_leb.parts.Thing'; allowed: the full "
        "dotted path of a class or function that is installed; did you mean my_lab.parts.Thing?",
    ),
    (
        "data=wrong_key",
        "data.siez (my_lab/conf/data/wrong_key.yaml, line 6): unknown key, not a parameter of Thing; did you mean",
    ),
    (
        "data=wrong_override",
        "override lose (my_lab/conf/data/wrong_override.yaml): unknown group; did you mean loss?",
    ),
    ("data=wrong_option", "loss=thign (my_lab/conf/data/wrong_option.yaml): no such option; did you mean thing?"),
    (
        "logger=wrong_reference",
        "logger.own.size (my_lab/conf/logger/wrong_reference.yaml, line 3): ${data.siez} leads nowhere; did you mean",
    ),
    ("data.siez=1", "data.siez (command line: data.siez=1): unknown key; did you mean data.size?"),
]


@pytest.mark.parametrize(("argv", "shown"), MISTAKES)
def test_a_mistake_in_a_lab_is_answered_with_its_file_and_key(
    argv: str, shown: str, start: Run, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lab.is_dir()
    others = [f"{name}=own" for name in ("data", "model") if not argv.startswith(f"{name}=")]
    assert message(start, capsys, "--config-dir", "my_lab/conf", *others, argv).startswith(shown)


def test_a_syntax_error_names_the_file(start: Run, lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{lab}/data/wrong_syntax.yaml" in message(start, capsys, "--config-dir=my_lab/conf", "data=wrong_syntax")


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--config-dir", "my_lab/cnof"], "--config-dir=my_lab/cnof: no such folder; did you mean my_lab/conf?"),
        (["--config-dir", "my_lba/conf"], "--config-dir=my_lba/conf: no such folder; did you mean my_lab/conf?"),
        (["--config-dir=my_lab"], "--config-dir=my_lab: it holds no folder of a group; did you mean my_lab/conf?"),
        (["--config-dir=/zzz/qqq"], "--config-dir=/zzz/qqq: no such folder"),
        (["--config-dir=my_lab/parts.py"], "--config-dir=my_lab/parts.py: a file, not a folder"),
        (["hydra.searchpath=[my_lab/cof]"], "hydra.searchpath=[my_lab/cof]: no such folder; did you mean my_lab/conf?"),
        (["hydra.searchpath=[file://{lab}s]"], "hydra.searchpath=[file://{lab}s]: no such folder; did you mean {lab}?"),
        (
            ["hydra.searchpath=[pkg://my_leb.conf]"],
            "hydra.searchpath=[pkg://my_leb.conf]: no such package; allowed: one that is installed, or lies on PY",
        ),
        (["hydra.searchpath=my_lab/conf"], "hydra.searchpath must be a list of strings. Got: my_lab/conf"),
    ],
)
def test_a_folder_that_is_not_there_is_refused(
    argv: list[str], shown: str, start: Run, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.format(lab=lab) for word in argv]
    assert message(start, capsys, *given, "data=own").startswith(shown.format(lab=lab))


def test_help_lists_the_options_of_a_lab(start: Run, lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.is_dir()
    start("--config-dir", "my_lab/conf", "data=own", "--help")
    shown = capsys.readouterr().out
    assert "  data: large, no_data, no_package, no_package_no_defaults, own, small" in shown
    assert "_target_: my_lab.parts.Thing" in shown


def test_a_lab_is_forgotten_with_the_next_configuration(start: Run, lab: Path, conf: Path) -> None:
    start("--config-dir", "my_lab/conf", "data=own", "model=own")
    assert folders.folders(conf) == [conf, lab]
    start()
    assert folders.folders(conf) == [conf]


def test_a_package_where_python_does_not_look_is_told_with_its_place(tmp_path: Path) -> None:
    away = tmp_path / "away" / "far_lab" / "conf"
    (away / "model").mkdir(parents=True)
    (away / "model" / "far.yaml").write_text(MODEL.replace("thing.Thing", "far_lab.parts.Thing"))
    path = f"hydra.searchpath=[file://{away}]"
    with pytest.raises(
        ConfigError, match=rf"far_lab lies where Python does not look; start in {tmp_path}/away, or give"
    ):
        compose_train([path, "model=far"], run_dir=tmp_path / "run")


def test_a_search_path_that_leads_nowhere_is_refused_in_a_notebook_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.searchpath=\[file://.*/cnf\]: no such folder$"):
        compose_train([f"hydra.searchpath=[file://{tmp_path}/qqq/cnf]"], run_dir=tmp_path)


def test_what_fits_lists_the_models_of_a_lab(tmp_path: Path) -> None:
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    mlp = "{{_target_: src.models.mlp.MLP, in_features: {}, hidden: [3], out_features: 1, activation: relu}}\n"
    net = f"net: {mlp}"
    (folder / "fits.yaml").write_text("name: fits\ntask: binary\n" + net.format(2))
    (folder / "without_task.yaml").write_text("name: without_task\n" + net.format("null"))
    (folder / "too_wide.yaml").write_text("name: too_wide\ntask: null\n" + net.format(3))
    (folder / "broken.yaml").write_text("name: [\n")
    (folder / "empty.yaml").write_text("")
    path = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    with pytest.raises(ConfigError, match=r"What fits: .*model=fits, model=mlp,.* model=without_task$"):
        build(compose_train([path, "data=circles", "model=line"], run_dir=tmp_path / "run"))


def test_a_process_that_is_started_for_a_job_is_told_of_the_lab(tmp_path: Path) -> None:
    folders.use([f"hydra.searchpath=[file://{tmp_path}]"])
    assert folders.with_search_path(["data=own"]) == [f'hydra.searchpath=["file://{tmp_path}"]', "data=own"]
    folders.use(folders.with_search_path([]))
    assert folders.folders(CONF_DIR) == [CONF_DIR, tmp_path]
    folders.use([])
    assert folders.with_search_path(["data=own"]) == ["data=own"]


def test_packages_that_a_labs_files_name_are_its_users_own(lab: Path, conf: Path) -> None:
    (lab / "data" / "inline.yaml").write_text("data: {_target_: 'elsewhere.Thing', size: 1}\n# not_this.one\n")
    folders.use([])
    assert folders.packages(conf) == set()
    folders.use([f"hydra.searchpath=[file://{lab}]"])
    assert folders.packages(conf) == {"thing", "my_lab", "my_leb", "elsewhere"}
    folders.use([])
