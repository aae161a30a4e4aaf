"""What the numbers of readings mean whose number is a code and no quantity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Code(NamedTuple):
    """What one number says."""

    english: str
    chinese: str


_SUCCESS = Code("success", "成功")
_CONNECTION_FAILED = Code("connection failed", "连接失败")
_TIMEOUT = Code("timeout", "超时")
_OTHER_CONTENT = Code("unexpected content", "内容不符")

CODES: Final[Mapping[str, Mapping[int, Code]]] = {
    # As in Telegraf's plugins of these names.
    "http_response.result_code": {
        0: _SUCCESS,
        1: _OTHER_CONTENT,
        2: Code("body unreadable", "正文不可读"),
        3: _CONNECTION_FAILED,
        4: _TIMEOUT,
        5: Code("name unknown", "域名无法解析"),
        6: Code("unexpected status", "状态码不符"),
    },
    "net_response.result_code": {
        0: _SUCCESS,
        1: _TIMEOUT,
        2: _CONNECTION_FAILED,
        3: Code("nothing to read", "无应答内容"),
        4: _OTHER_CONTENT,
    },
    "procstat_lookup.result_code": {0: _SUCCESS, 1: Code("lookup failed", "查找失败")},
    # ifOperStatus and ifAdminStatus of IF-MIB (RFC 2863)
    "snmp_port.oper_status": {
        1: Code("up", "启用"),
        2: Code("down", "断开"),
        3: Code("testing", "测试中"),
        4: Code("unknown", "未知"),
        5: Code("dormant", "休眠"),
        6: Code("not present", "不存在"),
        7: Code("lower layer down", "下层断开"),
    },
    "snmp_port.admin_status": {
        1: Code("up", "启用"),
        2: Code("down", "停用"),
        3: Code("testing", "测试中"),
    },
    "snmp_device.up": {0: Code("no answer", "无应答"), 1: Code("answers", "有应答")},
}


def code_name(metric: str, value: float | None, language: str = "en") -> str:
    """What the number says, in English or Chinese (``zh``); empty where it is a quantity, or not known."""
    code = CODES.get(metric, {}).get(int(value)) if value is not None and value == value // 1 else None
    if code is None:
        return ""
    return code.chinese if language == "zh" else code.english
