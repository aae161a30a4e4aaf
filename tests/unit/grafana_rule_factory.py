"""Builds alert rules as Grafana's provisioning API writes them."""

from __future__ import annotations

from typing import Any

PROMETHEUS = {"type": "prometheus", "uid": "p"}


def query(name: str, expr: str, **model: Any) -> dict[str, Any]:
    return {
        "refId": name,
        "datasourceUid": "p",
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"refId": name, "datasource": PROMETHEUS, "expr": expr, **model},
    }


def step(name: str, kind: str, **model: Any) -> dict[str, Any]:
    return {
        "refId": name,
        "datasourceUid": "__expr__",
        "model": {
            "refId": name,
            "type": kind,
            "datasource": {"type": "__expr__", "uid": "__expr__"},
            **model,
        },
    }


def judge(kind: str, *params: float) -> list[dict[str, Any]]:
    return [{"evaluator": {"type": kind, "params": list(params)}}]


def rule(*data: dict[str, Any], condition: str = "C", **more: Any) -> dict[str, Any]:
    return {"title": "Busy", "condition": condition, "for": "5m", "data": list(data), "labels": {}, **more}


A = query("A", 'load5{instance="a"}')
LAST = step("B", "reduce", expression="A", reducer="last")
