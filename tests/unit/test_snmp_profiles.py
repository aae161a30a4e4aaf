"""What profiles may say, what is wrong in them, and that those which come with the agent are sound."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from agent.inputs.snmp.profile import Profile
from agent.inputs.snmp.profile_load import SHIPPED, ancestry, load_profiles
from setpoint.config import ConfigError, load

HEAD = "title: A thing\nmatch:\n  - sys_object_id: 1.3.6.1.4.1.99999\n"


def problems(folder: Path, text: str) -> list[str]:
    (folder / "thing.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profiles(folder)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def one_reading(reading: str, *, under: str = "    under: 1.3.6.1.4.1.99999.1\n") -> str:
    return f"{HEAD}sensors:\n  - read:\n      - {reading}\n{under}"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_profile_is_sound(path: Path) -> None:
    profile = load(path, Profile, environment={}).value
    known = {one.stem for one in SHIPPED.glob("*.yaml")}
    assert set(profile.inherit) <= known
    assert (
        profile.match
        or any(
            path.stem in load(one, Profile, environment={}).value.inherit for one in SHIPPED.glob("*.yaml")
        )
        or path.stem == "generic"
    )


def test_no_two_profiles_claim_the_same_devices() -> None:
    claims = Counter(
        (match.sys_object_id, match.sys_descr, match.has)
        for entry in load_profiles().values()
        for match in entry.match
    )
    assert [claim for claim, times in claims.items() if times > 1] == []


def test_no_profile_inherits_itself() -> None:
    profiles = load_profiles()
    for name, entry in profiles.items():
        for parent in entry.inherit:
            assert name not in ancestry(parent, profiles)


def test_an_unknown_key_names_file_and_line(tmp_path: Path) -> None:
    found = problems(tmp_path, one_reading("{class: voltage, value: 1.0, scales: 2}"))
    assert found == ['thing.yaml:6: sensors[0].read[0]: unknown key "scales", did you mean "scale"?']


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        ("{class: temprature, value: 1.0}", 'unknown class "temprature", did you mean "temperature"?'),
        ("{class: state, value: 1.0}", 'states: expected exactly with "class: state"'),
        ("{class: voltage, value: 1.0, unit: furlong}", "unit: expected one of B, "),
        ("{class: voltage, value: 1.0, pattern: '('}", "pattern: expected a regular expression"),
        ("{class: voltage, value: 1.0, skip: ['> much']}", 'skip: "> much": expected a number after >'),
        ("{class: voltage, value: 1.0, name: '{label}'}", 'name: "label" is not a name of with'),
        ("{class: voltage, value: 1.0, name: '{index'}", "name: a brace without its other one"),
        ("{class: voltage, value: used / total}", 'value: "total", "used" is not a name of with'),
        ("{class: voltage, value: 1.0, calc: 'value ** import'}", "calc: expected an OID or an expression"),
        ("{class: voltage, value: 1.0, calc: 'open(1)'}", "calc: expected arithmetic with names"),
        ("{class: voltage, value: 1.0, where: {kind: 1}}", 'where.kind: "kind" is not a name of with'),
        ("{class: state, value: 1.0, states: {good: [1], critical: [1]}}", '"1" has two meanings'),
        ("{class: voltage, value: 1.0, bit: -1}", "bit: expected a number from 0 to 1023, got -1"),
    ],
)
def test_what_is_wrong_in_a_reading_is_said_with_its_line(tmp_path: Path, reading: str, said: str) -> None:
    found = problems(tmp_path, one_reading(reading))
    assert len(found) == 1
    assert found[0].startswith("thing.yaml:6: sensors[0].read[0]")
    assert said in found[0]


def test_a_relative_oid_needs_something_that_it_is_below(tmp_path: Path) -> None:
    found = problems(tmp_path, one_reading("{class: voltage, value: 5.0}", under=""))
    assert found == [
        'thing.yaml:6: sensors[0].read[0].value: "5.0" is relative, and the group has no "under"'
    ]


def test_an_amount_needs_two_numbers(tmp_path: Path) -> None:
    text = f"{HEAD}memory:\n  - under: 1.3.6.1.4.1.99999\n    read: [{{used: 1.0}}]\n"
    assert (
        "expected two of used, free and total, or used_percent or free_percent" in problems(tmp_path, text)[0]
    )


def test_a_match_needs_something_to_go_by(tmp_path: Path) -> None:
    found = problems(tmp_path, "title: x\nmatch:\n  - has: 1.3.6.1.4.1.5\n")
    assert found == ["thing.yaml:3: match[0]: expected sys_object_id, sys_descr or both"]


def test_an_unknown_parent_is_said_with_its_line(tmp_path: Path) -> None:
    found = problems(tmp_path, f"{HEAD}inherit: [swich]\n")
    assert found == ['thing.yaml:4: inherit[0]: no profile is called "swich", did you mean "switch"?']


def test_two_that_inherit_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("title: y\ninherit: [thing]\n")
    found = problems(tmp_path, f"{HEAD}inherit: [other]\n")
    assert "inherits from this profile already" in found[0]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder with profiles, found none"):
        load_profiles(tmp_path / "nowhere")


def test_a_profile_of_the_users_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "apc.yaml").write_text("title: my APC\nmatch:\n  - sys_object_id: 1.3.6.1.4.1.318\n")
    assert load_profiles(tmp_path)["apc"].title == "my APC"
    assert load_profiles()["apc"].title != "my APC"


def test_the_page_of_families_is_what_the_profiles_say() -> None:
    script = Path(__file__).parents[2] / "docs" / "snmp_families.py"
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0, f"run {script}"
