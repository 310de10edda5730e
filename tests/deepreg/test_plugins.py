import pytest
from deepreg.registry import KNOWN_CATEGORIES, REGISTRY

from mmzoo.deepreg import plugins


@pytest.mark.parametrize("row", plugins.PLUGINS, ids=lambda row: row.name)
def test_every_row_is_registered_with_a_source(row):
    registered = REGISTRY.get(row.category, row.name)
    cls = getattr(registered, "func", registered)  # losses are registered with their reduction
    assert f"{cls.__module__}:{cls.__name__}" == row.target
    assert row.category in KNOWN_CATEGORIES
    assert row.source
    # DeepReg lists what is registered by these.
    assert (registered.__module__, registered.__name__) == (cls.__module__, cls.__name__)
    assert registered.__doc__ == cls.__doc__


def test_registering_again_changes_nothing():
    before = dict(REGISTRY._dict)
    plugins.register_plugins()
    assert REGISTRY._dict == before


def test_a_name_that_another_class_has_is_refused(monkeypatch):
    row = plugins.Plugin("loss_class", "ssd", "mmzoo.losses.segi:SEGI", "none")
    monkeypatch.setattr(plugins, "PLUGINS", (row,))
    with pytest.raises(ValueError, match="Key ssd in category loss_class has been registered"):
        plugins.register_plugins()


def test_names_of_deepreg_keep_their_classes():
    import deepreg.loss.image

    assert REGISTRY.get("loss_class", "ssd") is deepreg.loss.image.SumSquaredDifference
