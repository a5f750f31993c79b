"""What serves where a model cannot be had, and who is asked for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from blikk_edge.app.stand_ins import StandIns
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.config.settings import CameraSettings, ModelSettings, NodeSettings, PrivacySettings, Settings
from blikk_edge.core.errors import ModelError
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.sinks.mqtt.kind import MqttSettings
from blikk_edge.transforms.models.download import UnreachableError
from blikk_edge.transforms.models.folders import ModelFolders, ResolvedModel
from blikk_edge.transforms.models.registry import REGISTRY, stand_in

HERE = Path("/models/x.tflite")


class Asked:
    """Finds models as it is asked to, and notes which were asked for where; those of `online` alone may be fetched."""

    def __init__(self, **answers: ModelError) -> None:
        self._answers = {name.replace("_", "-"): error for name, error in answers.items()}
        self.online: list[str] = []

    def __call__(self, name: str) -> Callable[[ModelFolders], ResolvedModel]:
        def find(model_folders: ModelFolders) -> ResolvedModel:
            if not model_folders.offline:
                self.online.append(name)
            if name in self._answers:
                raise self._answers[name]
            return ResolvedModel(path=HERE, entry=REGISTRY[name])

        return find


@pytest.fixture
def models(tmp_path: Path) -> StandIns:
    return StandIns(ModelFolders(cache=tmp_path), lambda _name: None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    def make(**answers: ModelError) -> Asked:
        made = Asked(**answers)
        monkeypatch.setattr(
            "blikk_edge.app.stand_ins.resolve", lambda name, *, model_folders, progress: made(name)(model_folders)
        )
        return made

    return make


def test_a_model_that_is_had_needs_nobody_in_its_place(models: StandIns, asked) -> None:
    found = models.find("yolox-nano", asked()("yolox-nano"), without="nothing")
    assert found is not None
    assert found.entry.name == "yolox-nano"
    assert (models.problems, models.limits) == ([], [])


def test_what_stands_in_is_reported_with_the_reason_and_with_what_it_does_not_find(models: StandIns, asked) -> None:
    found = models.find("yolox-nano", asked(yolox_nano=ModelError("gone"))("yolox-nano"), without="nothing")
    assert found is not None
    assert found.entry.name == "blazepose-person"
    (problem,) = models.problems
    assert problem.startswith("gone; until it is here blazepose-person serves, which does not find vehicles, animals")


def test_a_face_model_is_stood_in_for_by_a_face_model(models: StandIns, asked) -> None:
    found = models.find("yunet", asked(yunet=ModelError("gone"))("yunet"), without="nothing")
    assert found is not None
    assert found.entry.name == "blazeface-full"
    assert {stand_in(entry) for entry in REGISTRY.values()} == {
        REGISTRY["blazepose-person"], REGISTRY["blazeface-full"], None
    }  # fmt: skip


def test_without_either_it_is_said_what_serves_then(models: StandIns, asked) -> None:
    find = asked(yunet=ModelError("gone"), blazeface_full=ModelError("gone too"))
    assert models.find("yunet", find("yunet"), without="whole persons are blurred") is None
    assert models.problems == ["gone; gone too; until it is here whole persons are blurred"]


def test_who_chose_a_weaker_model_is_reported_what_it_does_not_find(models: StandIns, asked) -> None:
    assert models.find("blazepose-person", asked()("blazepose-person"), without="nothing") is not None
    assert models.problems == []
    (limit,) = models.limits
    assert limit.startswith("blazepose-person does not find vehicles, animals")


def test_a_chosen_model_that_cannot_be_had_is_not_stood_in_for_by_itself(models: StandIns, asked) -> None:
    find = asked(blazepose_person=ModelError("gone"))
    assert models.find("blazepose-person", find("blazepose-person"), without="faces tell people") is None
    assert models.problems == ["gone; until it is here faces tell people"]


def test_who_does_not_answer_is_asked_once_in_a_start(models: StandIns, asked) -> None:
    silent = UnreachableError("nobody answers")
    find = asked(yolox_nano=silent, yunet=silent, blazepose_person=silent, blazeface_full=silent)
    assert models.find("yolox-nano", find("yolox-nano"), without="a") is None
    assert models.find("yunet", find("yunet"), without="b") is None
    assert find.online == ["yolox-nano", "blazepose-person"]
    assert "yunet is not here either (not fetched: no network); model blazeface-full is not" in models.problems[1]


def test_a_refusal_of_one_model_is_no_reason_not_to_ask_for_another(models: StandIns, asked) -> None:
    find = asked(yolox_nano=ModelError("404"))
    models.find("yolox-nano", find("yolox-nano"), without="a")
    assert models.find("yunet", find("yunet"), without="b") is not None
    assert find.online == ["yolox-nano", "blazepose-person", "yunet"]


def test_one_that_is_here_is_taken_though_nobody_answers(models: StandIns, asked) -> None:
    find = asked(yolox_nano=UnreachableError("nobody answers"))
    models.find("yolox-nano", find("yolox-nano"), without="a")
    found = models.find("yunet", find("yunet"), without="b")
    assert found is not None
    assert found.entry.name == "yunet"
    assert len(models.problems) == 1


def test_a_model_of_ones_own_must_be_there(models: StandIns) -> None:
    def find(_model_folders: ModelFolders) -> ResolvedModel:
        raise ModelError("mine.tflite is not there")

    with pytest.raises(ModelError, match=r"mine\.tflite"):
        models.find("mine.tflite", find, without="nothing")


def settings(folder: Path, **more: object) -> Settings:
    return Settings(
        node=NodeSettings(id="n", name="N"),
        mqtt=MqttSettings(host="127.0.0.1"),
        cameras=(CameraSettings(id="door", name="Door", source=SourceUrl("/dev/null")),),
        models=ModelSettings(cache=folder / "cache", offline=True),
        **more,
    )


def test_a_node_looks_with_the_stand_ins_until_the_defaults_are_here(
    tmp_path: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLIKK_MODELS", str(stand_ins))
    vision_models = VisionModels(settings(tmp_path))
    assert vision_models.notes[-1] == "detector default: blazepose-person; faces: blazeface-full"
    assert len(vision_models.problems) == 2
    tools = vision_models.tools(settings(tmp_path))("door")
    assert tools.detector.name == "blazepose-person"


def test_with_the_defaults_at_hand_nothing_stands_in(
    tmp_path: Path, data: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLIKK_MODELS", f"{stand_ins}:{data / 'models'}")
    vision_models = VisionModels(settings(tmp_path))
    assert (vision_models.problems, vision_models.notes) == ((), ("detector default: yolox-nano; faces: yunet",))


def test_the_stand_in_for_faces_can_be_chosen(
    tmp_path: Path, data: Path, stand_ins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLIKK_MODELS", f"{stand_ins}:{data / 'models'}")
    vision_models = VisionModels(settings(tmp_path, privacy=PrivacySettings(model="blazeface-full")))
    assert vision_models.problems == ()
    assert vision_models.notes == (
        "blazeface-full does not find as many faces that are small or in profile",
        "detector default: yolox-nano; faces: blazeface-full",
    )
