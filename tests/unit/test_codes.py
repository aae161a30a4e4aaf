"""What the numbers of codes mean."""

from __future__ import annotations

import pytest

from agent.inputs.http_response.input import RESULT_CODES as HTTP
from agent.inputs.net_response.input import RESULT_CODES as TCP
from setpoint.codes import CODES, code_name


@pytest.mark.parametrize(("metric", "codes"), [("http_response", HTTP), ("net_response", TCP)])
def test_every_code_that_an_input_gives_has_a_meaning(metric: str, codes: dict[str, int]) -> None:
    assert set(CODES[f"{metric}.result_code"]) == set(codes.values())


def test_a_code_has_its_meaning_in_both_languages() -> None:
    assert code_name("snmp_port.oper_status", 2.0) == "down"
    assert code_name("snmp_port.oper_status", 2.0, "zh") == "断开"


@pytest.mark.parametrize("value", [None, 2.5, 99.0, float("nan"), float("inf")])
def test_what_is_no_code_has_no_meaning(value: float | None) -> None:
    assert code_name("snmp_port.oper_status", value) == ""


def test_a_quantity_has_no_meaning() -> None:
    assert code_name("cpu.usage_active", 2.0) == ""
