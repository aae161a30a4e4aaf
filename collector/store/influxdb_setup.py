"""Which InfluxDB it is, and the database or bucket there: found, made, or what to run to have it."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal, NamedTuple

import msgspec

from collector.store.base import StoreUnavailable
from collector.store.http_read import HttpReader, Response
from collector.store.influxql import identifier

log = logging.getLogger(__name__)

Generation = Literal["1", "2", "3"]
_VERSION = re.compile(r"v?(\d+)\.(\d+)")


class Server(NamedTuple):
    """``version`` is what the server calls itself."""

    generation: Generation
    version: str
    has_v2_write: bool


class Target(NamedTuple):
    """The database (1.x, 3.x) or bucket (2.x) and its organisation; ``retention_s``: how long it is to keep
    data, where it is made by us.
    """

    database: str
    organisation: str
    retention_s: int


def detect(reader: HttpReader, wanted: Generation | None) -> Server:
    """What /ping says. 1.x and 2.x name their version in a header, 3.x in the body, and a proxy may take
    the header away: then ``wanted`` has to be given.
    """
    answer = reader.ask("GET", "/ping")
    text = answer.headers.get("x-influxdb-version", "")
    if not text and answer.body.startswith(b"{"):
        text = str(msgspec.json.decode(answer.body).get("version", ""))
    match = _VERSION.match(text)
    if match is None:
        if wanted is None:
            raise StoreUnavailable(
                f"{reader.base_url}/ping: {answer.status} without a version; is it InfluxDB? "
                "If so, set generation to 1, 2 or 3"
            )
        return Server(wanted, "unknown", wanted != "1")
    major, minor = int(match[1]), int(match[2])
    generation: Generation = wanted or ("1" if major < 2 else "2" if major == 2 else "3")
    return Server(generation, text, (major, minor) >= (1, 8))


def prepare(reader: HttpReader, server: Server, target: Target) -> None:
    """Sees to it that the target exists. StoreUnavailable, with the commands to run, when it does not and
    the credential may not make it.
    """
    {"1": _prepare_1, "2": _prepare_2, "3": _prepare_3}[server.generation](reader, target)


def _prepare_1(reader: HttpReader, target: Target) -> None:
    statement = f"CREATE DATABASE {identifier(target.database)} WITH DURATION {target.retention_s}s"
    # Not made again: with another duration than it has, 1.x answers with a conflict.
    answer = reader.ask("POST", "/query", {"q": "SHOW DATABASES"})
    if answer.status == 200 and f'["{target.database}"]' in answer.text:
        return
    if answer.status == 200:
        answer = reader.ask("POST", "/query", {"q": statement})
        if answer.status == 200 and "error" not in answer.text:
            log.info("store %s: made the database %s", reader.base_url, target.database)
            return
    elif _may_use(reader, target):
        return
    raise _not_there(reader, answer, target, [f"influx -execute '{statement}'"])


def _may_use(reader: HttpReader, target: Target) -> bool:
    """Only an administrator may list databases; another user may still have this one."""
    answer = reader.ask("POST", "/query", {"db": target.database, "q": "SHOW MEASUREMENTS LIMIT 1"})
    return answer.status == 200 and "error" not in answer.text


def _prepare_2(reader: HttpReader, target: Target) -> None:
    organisation, bucket = target.organisation, target.database
    days = max(1, target.retention_s // 86_400)
    make_bucket = f"influx bucket create --org '{organisation}' --name '{bucket}' --retention {days}d"
    make_mapping = (
        f"influx v1 dbrp create --org '{organisation}' --db '{bucket}' --rp autogen --default --bucket-id "
        f"$(influx bucket list --org '{organisation}' --name '{bucket}' --hide-headers | cut -f1)"
    )
    commands = [make_bucket, make_mapping]
    answer = reader.ask("GET", "/api/v2/orgs", {"org": organisation})
    organisations = _items(answer, "orgs")
    answer = reader.ask("GET", "/api/v2/buckets", {"name": bucket, "org": organisation})
    buckets = _items(answer, "buckets")
    if not buckets and organisations:
        rules = [{"type": "expire", "everySeconds": target.retention_s}]
        wanted = {"orgID": organisations[0]["id"], "name": bucket, "retentionRules": rules}
        answer = reader.ask("POST", "/api/v2/buckets", json=wanted)
        if answer.status == 201:
            buckets = [_decode(answer)]
            log.info("store %s: made the bucket %s", reader.base_url, bucket)
    if not buckets:
        raise _not_there(reader, answer, target, commands)
    if _may_use(reader, target):
        return  # a mapping of its own, or the one that 2.2 and later imagine for every bucket
    mapping = {
        "orgID": buckets[0]["orgID"],
        "bucketID": buckets[0]["id"],
        "database": bucket,
        "retention_policy": "autogen",
        "default": True,
    }
    answer = reader.ask("POST", "/api/v2/dbrps", json=mapping)
    if answer.status != 201:
        raise _not_there(reader, answer, target, [make_mapping])
    log.info("store %s: mapped the database %s to the bucket", reader.base_url, bucket)


def _prepare_3(reader: HttpReader, target: Target) -> None:
    if _may_use(reader, target):
        return
    answer = reader.ask("POST", "/api/v3/configure/database", json={"db": target.database})
    if answer.status >= 300 and answer.status != 409:
        raise _not_there(reader, answer, target, [f"influxdb3 create database {target.database}"])
    log.info("store %s: made the database %s", reader.base_url, target.database)


def _items(answer: Response, name: str) -> list[dict[str, Any]]:
    found = _decode(answer).get(name) if answer.status == 200 else None
    return found if isinstance(found, list) else []


def _decode(answer: Response) -> dict[str, Any]:
    decoded: object = msgspec.json.decode(answer.body)
    return decoded if isinstance(decoded, dict) else {}


def _not_there(reader: HttpReader, answer: Response, target: Target, commands: list[str]) -> StoreUnavailable:
    return StoreUnavailable(
        f'{reader.base_url}: "{target.database}" is not there for this credential '
        f"({answer.status}: {answer.text[:300]}). With one that may make it, run:\n  " + "\n  ".join(commands)
    )
