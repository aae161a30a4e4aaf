"""The words of the page, by language. Without an entry, a word is shown as it stands in the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from collector.web.view import Language

LANGUAGES: Final[Mapping[Language, str]] = {"en": "English", "zh": "中文"}

_ZH: Final[Mapping[str, str]] = {
    # the frame
    "Findings": "发现项",
    "Overview": "总览",
    "Open findings": "未关闭的发现项",
    "Agents": "采集代理",
    "Latest values": "最新值",
    "plan": "计划",
    "revision {}": "修订 {}",
    "approved by {} on {}": "由 {} 于 {} 批准",
    "not approved": "未批准",
    "site": "站点",
    "as of": "截至",
    "Pause refresh": "暂停刷新",
    "Refresh every 10 s": "每 10 秒刷新",
    "refresh is paused": "刷新已暂停",
    "refreshes every 10 s": "每 10 秒刷新",
    "Skip to content": "跳到正文",
    "running for": "已运行",
    "The collector is not well": "采集中心异常",
    # counts
    "Planned subjects": "计划对象",
    "Readings stored": "已存储读数",
    "since the start": "自启动以来",
    "refused": "拒收",
    "none": "无",
    # states
    "critical": "严重",
    "warning": "警告",
    "info": "提示",
    "silent": "静默",
    "never": "从未上报",
    "normal": "正常",
    "unjudged": "未判定",
    "up": "在线",
    "offline": "离线",
    "open": "未关闭",
    "closed": "已关闭",
    "superseded": "已被取代",
    "all": "全部",
    # tables
    "Severity": "严重度",
    "Finding": "发现项",
    "Subject": "对象",
    "Measured": "实测",
    "Target": "目标",
    "Gap": "差距",
    "First seen": "首次发现",
    "Last seen": "最近确认",
    "State": "状态",
    "Agent": "代理",
    "Last heard": "最近上报",
    "Readings": "读数",
    "Inputs": "采集项",
    "Version": "版本",
    "Metric": "指标",
    "Value": "数值",
    "Thresholds": "阈值",
    "Newest sample": "最新样本",
    "Since": "起始",
    "every {}": "每 {}",
    "clock off by {}": "时钟偏差 {}",
    "{} refused": "拒收 {}",
    "no threshold": "无阈值",
    "{} of {} shown, worst first": "共 {1} 项，显示最差的 {0} 项",
    "everything": "全部数据",
    # empty states
    "No open findings.": "没有未关闭的发现项。",
    "No findings in this state.": "没有处于此状态的发现项。",
    "The running period is reviewed again and again; what is found appears here.": (
        "系统会反复评审当前周期，一有发现即显示于此。"
    ),
    "No agent has reported yet.": "尚无代理上报。",
    "Let one in with": "登记代理：",
    "and start it on its host with": "然后在其主机上启动：",
    "The plan names nothing, and nothing that it wants has reported.": (
        "计划未列出任何对象，也没有符合计划的上报。"
    ),
    "Say what is to be measured in the plan, and check it with": "请在计划中写明要测量的内容，并检查：",
    # one finding
    "Kind": "类型",
    "Point": "计划点",
    "Serves": "服务目标",
    "Class": "类别",
    "Element": "要素",
    "Owner": "责任方",
    "Judged by": "判定依据",
    "plan revision {}": "计划修订 {}",
    "superseded by revision {}": "被修订 {} 取代",
    "Closed": "关闭时间",
    "Proposed action": "建议措施",
    "Mended when": "验收条件",
    "Why this severity": "严重度理由",
    "Evidence": "证据",
    "Period": "周期",
    "Samples": "样本数",
    "Coverage": "测量覆盖率",
    "Statistics": "统计",
    "Longest episodes": "最长的超限时段",
    "Members": "涉及对象",
    "Series": "序列",
    "Subjects and series": "对象与序列",
    "the samples of this period": "本周期的样本",
    "the series": "相关序列",
    "In English": "英文",
    "In Chinese": "中文",
    "All findings": "全部发现项",
    # errors
    "Not found": "未找到",
    "Cannot be shown": "无法显示",
    "Back to the overview": "返回总览",
    "mean": "均值",
    "min": "最小值",
    "max": "最大值",
    "p50": "中位数",
    "p95": "95 百分位",
    "p99": "99 百分位",
    "availability": "可用率",
    "every_ms": "间隔",
    "measured_ms": "已测时间",
    "last_ms": "最新样本",
    "patience_ms": "等待上限",
    "subjects": "对象数",
    "series": "序列数",
    "unplanned": "计划外",
    "lowest": "最低",
    "highest": "最高",
}


def translate(text: str, language: Language) -> str:
    """The text in the language."""
    return _ZH.get(text, text) if language == "zh" else text
