"""The reference of the configuration is that of the structs."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_configuration_reference_is_that_of_the_structs() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec
    assert spec.loader
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render(), (
        "docs/configuration.md is stale; make it anew with: python docs/reference.py"
    )
