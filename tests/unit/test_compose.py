"""The container files, as far as they can be judged without a container engine: what they name exists, what
they start is what the command line has, and their settings are those that are shipped otherwise.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from setpoint.__main__ import main
from tests.servers import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Any = COMPOSE["services"]
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make-secrets`` makes."""
    folder = tmp_path_factory.mktemp("secrets")
    _make_secrets(folder)
    return folder


def _make_secrets(folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = DEPLOY / "compose" / "make-secrets"
    done = subprocess.run(
        ["sh", script, folder], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _mounts(service: str) -> list[tuple[str, str]]:
    """Source and target of each."""
    return [tuple(mount.split(":")[:2]) for mount in SERVICES[service].get("volumes", [])]


def _mounted_texts(service: str) -> list[str]:
    """The files that the service is given, without their comments."""
    files = [DEPLOY / source for source, _ in _mounts(service) if source.startswith(".")]
    return [re.sub(r"(?m)^\s*#.*", "", path.read_text()) for path in files if path.is_file()]


@pytest.mark.parametrize("service", SERVICES)
def test_whatever_is_mounted_is_there(service: str, secrets: Path) -> None:
    for source, target in _mounts(service):
        assert target.startswith("/")
        if source.startswith("./secrets/"):
            assert (secrets / source.removeprefix("./secrets/")).exists(), source
        elif source.startswith("."):
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_the_secrets_that_it_reads_and_no_others(service: str) -> None:
    texts = [yaml.safe_dump(SERVICES[service].get("environment", {})), *_mounted_texts(service)]
    read = set(re.findall(r"/run/secrets/([\w-]+)", "\n".join(texts)))
    assert read == set(SERVICES[service].get("secrets", []))


def test_every_secret_is_made_and_used(secrets: Path) -> None:
    made = {path.name for path in secrets.iterdir() if path.is_file()}
    assert made == COMPOSE["secrets"].keys()
    assert {name for one in SERVICES.values() for name in one.get("secrets", [])} == made
    for name, where in COMPOSE["secrets"].items():
        assert where == {"file": f"./secrets/{name}"}
        assert len((secrets / name).read_text()) >= 40
        assert (secrets / name).read_text().strip() == (secrets / name).read_text()


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    def content() -> dict[str, str]:
        return {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}

    _make_secrets(tmp_path)
    before = content()
    _make_secrets(tmp_path)
    assert content() == before


def test_nobody_is_reached_from_other_machines() -> None:
    for service in SERVICES.values():
        assert "network_mode" not in service
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_whether_it_is_well_and_who_it_waits_for_does(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    for other, condition in SERVICES[service].get("depends_on", {}).items():
        assert other in SERVICES
        assert condition == {"condition": "service_healthy"}


def test_images_of_others_have_a_version() -> None:
    for service in SERVICES.values():
        assert "build" in service or re.search(r":\d+\.\d+", service["image"])


@pytest.mark.parametrize("service", ["collector", "agent"])
def test_what_is_started_is_right(service: str, secrets: Path, tmp_path: Path) -> None:
    """``check`` in place of ``run``, with the secrets from where they were made."""
    command = SERVICES[service]["command"]
    assert command[:2] == [service, "run"]
    targets = {target: source for source, target in _mounts(service)}
    for target in [path for path in targets if path.startswith("/etc/setpoint/")]:
        text = (DEPLOY / targets[target]).read_text().replace("/run/secrets", str(secrets))
        (tmp_path / Path(target).name).write_text(text)
    assert command[2:] == ["--config", f"/etc/setpoint/{service}.yaml"]
    assert main([service, "check", "--config", str(tmp_path / f"{service}.yaml")]) == 0


def test_services_are_named_as_they_are_asked() -> None:
    """In settings and addresses."""
    texts = "".join(text for service in SERVICES for text in _mounted_texts(service))
    named = re.findall(r"https?://([\w-]+):\d|host: (\w+)\n|\"(\w+):1883\"", texts)
    assert {name for names in named for name in names if name} <= SERVICES.keys() | {"127"}


def test_the_broker_has_the_settings_that_are_shipped() -> None:
    def settings(path: Path) -> dict[str, str]:
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        return dict(line.split(" ", 1) for line in lines)

    here, shipped = (
        settings(DEPLOY / "compose" / "mosquitto.conf"),
        settings(ROOT / "config" / "mosquitto" / "mosquitto.conf"),
    )
    elsewhere = {"listener", "password_file", "acl_file"}
    assert here.keys() == shipped.keys()
    assert {key: here[key] for key in here.keys() - elsewhere} == {
        key: shipped[key] for key in here.keys() - elsewhere
    }
    targets = [target for _, target in _mounts("mosquitto")]
    assert here["acl_file"] in targets
    assert str(Path(here["password_file"]).parent) in targets


def test_the_data_source_is_the_provisioned_one() -> None:
    provisioned = (ROOT / "grafana" / "provisioning" / "datasources" / "influxdb2.yaml").read_text()
    values = {
        "SETPOINT_STORE_URL": "http://influxdb:8086",
        "SETPOINT_STORE_DATABASE": SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"],
        "SETPOINT_STORE_TOKEN": "$__file{/run/secrets/influxdb-token}",
    }
    expected = yaml.safe_load(_VARIABLE.sub(lambda found: values[found[1]], provisioned))
    assert yaml.safe_load((DEPLOY / "compose" / "datasource.yaml").read_text()) == expected


def test_grafana_finds_its_dashboards() -> None:
    environment = SERVICES["grafana"]["environment"]
    (folder,) = [s for s, target in _mounts("grafana") if target == environment["SETPOINT_DASHBOARDS"]]
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == environment["SETPOINT_DASHBOARDS"]
    assert (DEPLOY / folder / home.name).exists()


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = [name for line in re.findall(r"(?m)^COPY (?!--from)(.+)", text) for name in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == set(copied)
