"""``setpoint agents add`` and ``rotate``: new passwords, for one agent or for a list."""

from __future__ import annotations

import argparse

from collector.broker.access import Role
from collector.broker.settings import parse_listen
from collector.broker.users import Users, name_problem
from collector.settings import CollectorSettings
from setpoint.commands.agents_broker import address_of, reload, site_of
from setpoint.commands.credentials_out import UNKNOWN_HOST, Address, Credential, agent_yaml, credentials_out
from setpoint.commands.hosts_csv import Host, read_hosts


def give_passwords(options: argparse.Namespace, settings: CollectorSettings, users: Users) -> int:
    """Adds or rotates, and hands the passwords over; returns the exit code. ValueError, OSError and
    NoSuchUser say what cannot be done; then nothing has changed.
    """
    adding = options.agents_command == "add"
    role = options.role if adding else users.names().get(options.name, "agent")
    address = address_of(options, settings)
    hosts = _hosts(options, settings, users, role)
    names = [host.name for host in hosts]

    def credentials() -> list[Credential]:
        passwords = users.add(names, role) if adding else users.rotate(names)
        return [Credential(name, site, passwords[name]) for name, site in hosts]

    if not hosts:
        print(f"all of {options.hosts} have a password already; nothing was changed")
        return 0
    if options.out is None:
        (credential,) = credentials()
        _show(credential, address, role, options, settings)
    else:
        made: list[Credential] = []
        try:
            with credentials_out(options.out, address) as write:
                made = credentials()
                write(made)
        except BaseException:
            # Nobody could ever learn these passwords, and the names would be taken.
            if adding and made:
                users.remove(names)
            raise
        whom = f"{len(names)} users" if len(names) > 1 else f'"{names[0]}"'
        what = "may connect" if adding else "got new passwords"
        print(f"{whom} {what}; the passwords are in {options.out}, which only you may read")
        if address.host == UNKNOWN_HOST and options.out.suffix.lower() != ".csv":
            print(f"the files say {UNKNOWN_HOST}; --address HOST:PORT puts the address there")
    return reload(options)


def _hosts(options: argparse.Namespace, settings: CollectorSettings, users: Users, role: Role) -> list[Host]:
    """Whom the command is about, each with its site. ValueError with everything that is wrong in the file."""
    site = site_of(options, settings)
    if options.hosts is None:
        if options.agents_command == "add" and (problem := name_problem(options.name, role)):
            raise ValueError(problem)
        return [Host(options.name, site)]
    known = users.names()
    adding, skip = options.agents_command == "add", getattr(options, "skip_existing", False)

    def problem_of(name: str) -> str:
        if not adding:
            return "" if name in known else f'there is no "{name}" in {users.path}'
        if name in known and not skip:
            taken = f'"{name}" has a password already; --skip-existing leaves it out'
        else:
            taken = ""
        return name_problem(name, role) or taken

    hosts = [host for host in read_hosts(options.hosts, problem_of) if not (skip and host.name in known)]
    return [host._replace(site=host.site or site) for host in hosts]


def _show(
    credential: Credential,
    address: Address,
    role: Role,
    options: argparse.Namespace,
    settings: CollectorSettings,
) -> None:
    if role != "agent":
        print(f"# the {role}'s user name and password, which is shown this once:")
        print(f"username: {credential.name}\npassword: {credential.password}")
        if options.mosquitto_passwords and credential.name != role and role != "publisher":
            print(f'# what it may do is in the ACL: give it a block there like that of "user {role}"')
        return
    print(
        f"# in place of agent and broker in {credential.name}'s agent.yaml; the password is shown this once:"
    )
    print(agent_yaml(credential, address), end="")
    if address.host == UNKNOWN_HOST:
        print(f"# {UNKNOWN_HOST}: as the agents reach it; --address HOST:PORT writes it there")
    listen = parse_listen(settings.embedded_broker.listen)[0]
    if not options.mosquitto_passwords and listen in ("127.0.0.1", "::1"):
        print(
            f"# the broker listens on {listen} only; set embedded_broker.listen in {options.config} to let "
            "other hosts in"
        )
