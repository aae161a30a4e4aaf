"""What depends on what: a host, by its name, on those without which nothing reaches it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from setpoint.config import child, item
from setpoint.maintenance import HOST_TAGS
from setpoint.plan_file import Found, PlanFile
from setpoint.plan_match import Groups, Report, Where, is_glob


def dependencies(file: PlanFile, groups: Groups, report: Report) -> dict[str, tuple[str, ...]]:
    """For each host that depends on others, these. A group's name stands for all that it names one by one.

    ``report`` is told of globs and of what depends on itself.
    """
    found: dict[str, dict[str, None]] = {}
    for name, entry in file.hosts.items():
        path = child("hosts", name)
        below = [
            host
            for index, other in enumerate(entry.depends_on)
            for host in _names(other, file, groups, report, item(child(path, "depends_on"), index))
        ]
        for host in _names(name, file, groups, report, path):
            if below:
                found.setdefault(host, {}).update(dict.fromkeys(below))
    depends_on = {host: tuple(others) for host, others in found.items()}
    cycle = _cycle(depends_on)
    if cycle:
        where = next((host for host in cycle if host in file.hosts), "")
        path = child(child("hosts", where), "depends_on") if where else "hosts"
        report(path, f"a host cannot depend on itself: {' -> '.join(cycle)}")
    return depends_on


def unnamed_hosts(file: PlanFile, listed: Collection[str], wheres: Iterable[Where]) -> Found:
    """Names below ``hosts`` that nothing else in the plan names, with where they stand: nothing of them is
    measured, or they are misspelt. ``listed`` are the members of groups.
    """
    matchers = [matcher for where in wheres for tag, matcher in where if tag in HOST_TAGS]
    known = {*listed, *file.groups}
    return [
        (path, f'no group and no point names a host or device "{name}"')
        for path, name in _named(file)
        if not (name in known or any(each.matches(name) for each in matchers))
    ]


def _named(file: PlanFile) -> Iterator[tuple[str, str]]:
    for name, entry in file.hosts.items():
        path = child("hosts", name)
        yield path, name
        for index, other in enumerate(entry.depends_on):
            yield item(child(path, "depends_on"), index), other


def _names(word: str, file: PlanFile, groups: Groups, report: Report, path: str) -> list[str]:
    if word in file.groups:
        return groups.matcher(word, path).literals()
    if is_glob(word):
        report(path, f'expected the name of a host, a device or a group, got "{word}"')
        return []
    return [word]


def _cycle(depends_on: dict[str, tuple[str, ...]]) -> list[str]:
    """One cycle, from a host to itself; empty when there is none."""
    done: set[str] = set()
    way: dict[str, None] = {}

    def follow(hosts: Iterable[str]) -> list[str]:
        for host in hosts:
            if host in way:
                known = list(way)
                return [*known[known.index(host) :], host]
            if host not in done:
                way[host] = None
                if cycle := follow(depends_on.get(host, ())):
                    return cycle
                del way[host]
                done.add(host)
        return []

    return follow(depends_on)
