"""Settings: invalid values raise errors that name the setting; configurations are hashable values."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from jaxstyle.config import StyleConfig
from jaxstyle.errors import ConfigError

INVALID = {
    "size": (0, -512, 511.5, float("nan"), float("inf")),
    "steps": (0, -1, 2.5, float("nan"), 1_000_001),
    "levels": (0, -1, 1.5),
    "tile_size": (0, -1, 1.5),
    "strength": (-0.1, 2.5, float("nan")),
    "content_weight": (-0.1, float("nan"), float("inf")),
    "style_weight": (-1, float("nan")),
    "color_weight": (-1, float("inf")),
    "tv_weight": (-1, float("nan")),
    "grain_weight": (-1, float("inf")),
    "style_scale": (0, -1, float("nan"), float("inf"), (), (1.0, -1.0)),
    "rotate_style": (float("nan"), 400.0),
    "style_blend": ((-2.0, 1.0), (0.0, 0.0), (float("nan"),)),
    "content_layers": ((("relu4_2", -1.0),), (("relu4_2", 0.0),), (("relu4_2", float("nan")),)),
    "style_layers": ((("relu1_1", 1.0), ("relu2_1", -1.0)), (("relu1_1", float("inf")),)),
    "init": ((("content", 0.0),), (("content", -1.0), ("noise", 2.0)), ()),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID.items() for value in values])
def test_invalid_values(name: str, value: Any) -> None:
    message = error_message(**{name: value})
    assert name in message and "expected" in message


WRONG_KINDS = {
    "size": ("64", True, None),
    "levels": ("2",),
    "strength": ("1", None, 1 + 0j),
    "content_weight": (10**400, [1.0]),
    "rotate_style": ("45",),
    "style_scale": ("2", {"a": 1.0}, None),
    "style_blend": (0.5, "0.5", {"a": 0.5}, ("a", 0.5), np.ones(2)),
    "style_representation": (None, ["gram"]),
    "normalization": (None, ["relative"]),
    "colors": (0.5, ("content", 0.5), (("content", 0.5, 1.0),), {"content": "half"}, {1: 0.5}, {"content"}, None),
    "init": ("", "content=0.7", (("noise",),), np.ones((2, 2))),
    "style_layers": (1, (("relu1_1", None),), [["relu1_1", "relu2_1"]], {"relu1_1": float("nan")}),
    "content_layers": (None, ""),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG_KINDS.items() for value in values])
def test_values_of_a_wrong_kind(name: str, value: Any) -> None:
    message = error_message(**{name: value})
    assert message.startswith(f"{name} ") and "expected" in message


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("colors", "content", (("content", 1.0),)),
        ("colors", {"content": 0.5}, (("content", 0.5),)),
        ("colors", ("content",), (("content", 1.0),)),
        ("init", "noise", (("noise", 1.0),)),
        ("init", {"content": np.float32(0.5), "noise": 1}, (("content", 0.5), ("noise", 1.0))),
        ("style_layers", {"relu1_1": 1}, (("relu1_1", 1.0),)),
        ("style_layers", ["relu1_1", "relu2_1"], (("relu1_1", 1.0), ("relu2_1", 1.0))),
        ("style_layers", [["relu1_1", 2], "pool1"], (("relu1_1", 2.0), ("pool1", 1.0))),
        ("content_layers", "relu4_2", (("relu4_2", 1.0),)),
        ("content_layers", "all", "all"),
        ("content_layers", [], ()),
        ("style_blend", [0.7, 0.3], (0.7, 0.3)),
        ("style_scale", [1, 2], (1, 2)),
    ],
)
def test_other_forms_are_stored_as_tuples(name: str, value: Any, stored: Any) -> None:
    config = StyleConfig(**{name: value})
    assert getattr(config, name) == stored and replace(config) == config
    assert hash(config) == hash(StyleConfig(**{name: stored}))


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("normalization", "paper", ("relative", "gatys")),
        ("optimizer", "sgd", ("lbfgs", "adam")),
        ("init", (("content", 1.0), ("random", 1.0)), ("content", "noise", "style", "picture")),
    ],
)
def test_unknown_choices(name: str, value: Any, known: tuple[str, ...]) -> None:
    message = error_message(**{name: value})
    assert name in message and all(choice in message for choice in known)
    assert repr(value if isinstance(value, str) else value[-1][0]) in message


def test_at_least_one_layer_is_required() -> None:
    message = error_message(content_layers=(), style_layers=())
    assert "content_layers" in message and "style_layers" in message
    assert StyleConfig(content_layers=()).style_layers and StyleConfig(style_layers=()).content_layers


def error_message(**settings: Any) -> str:
    """The message, one line, of the ConfigError that both creating and changing a configuration raise."""
    with pytest.raises(ConfigError) as caught:
        StyleConfig(**settings)
    with pytest.raises(ConfigError):
        replace(StyleConfig(), **settings)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"size": 1, "steps": 1},
        {"content_weight": 0, "style_weight": 0, "color_weight": 0},
        {"content_weight": 1e9, "style_scale": 0.01},
        {"style_blend": (0.0, 1.0)},
        {"content_layers": (("relu4_2", 0.0), ("conv5_1", 2.0))},
        {"init": (("noise", 0.5), ("picture", 0.5)), "optimizer": "adam", "normalization": "gatys"},
    ],
)
def test_valid_values(settings: dict[str, Any]) -> None:
    config = StyleConfig(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


def test_configurations_are_hashable_and_immutable() -> None:
    config = StyleConfig(size=300, style_blend=(1.0, 2.0))
    assert config == StyleConfig(size=300, style_blend=(1.0, 2.0)) != StyleConfig(size=300)
    assert {config: "found"}[replace(StyleConfig(), size=300, style_blend=(1.0, 2.0))] == "found"
    with pytest.raises(FrozenInstanceError):
        config.size = 5  # type: ignore[misc]
