"""Writes docs/inputs/snmp-families.md from the profiles that come with the agent.

    python docs/snmp_families.py [--check]

``--check`` writes nothing and ends with 1 when the page is not what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from agent.inputs.snmp.profile_load import LoadedProfile, Profiles, ancestry, load_profiles  # noqa: E402

PAGE = ROOT / "docs" / "inputs" / "snmp-families.md"
HEAD = """# The families that the agent knows

Every device gives its ports. What else is read of it depends on its family; a family also gives what it
inherits ([how profiles work](snmp-profiles.md)). *Sensors* says of which classes; a device has those of them
that its model has. This page is written by `docs/snmp_families.py`.

| family | profile | recognised by | processors | memory | storage | sensors |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page's text."""
    profiles = load_profiles()
    families = sorted((one for one in profiles.values() if one.match), key=lambda one: one.title.lower())
    rows = "".join(f"| {' | '.join(_cells(one, profiles))} |\n" for one in families)
    parts = "".join(f"| `{one.name}` | {one.title} |\n" for one in profiles.values() if not one.match)
    return f"{HEAD}{rows}\n## What families inherit\n\n| profile | what it is |\n|---|---|\n{parts}"


def _cells(entry: LoadedProfile, profiles: Profiles) -> Iterator[str]:
    found = [profiles[name].profile for name in ancestry(entry.name, profiles)]
    claims = sorted({one.sys_object_id or f"sysDescr `{one.sys_descr}`" for one in entry.match})
    yield entry.title
    yield f"`{entry.name}`"
    yield ", ".join(claims[:3]) + (", …" if len(claims) > 3 else "")
    for kind in ("cpu", "memory", "storage"):
        yield "yes" if any(getattr(profile, kind) for profile in found) else ""
    own = {one.class_ for group in found[0].sensors for one in group.read}
    yield ", ".join(sorted(class_ for class_ in own if "{" not in class_))


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
