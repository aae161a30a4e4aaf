"""What dashboards say, in English and in Chinese. English texts are the keys; both sides are for readers.

Names of lines in graphs (``{name} in``) are part of the queries and stay English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

CHINESE: Mapping[str, str] = {
    # Everywhere
    "Setpoint dashboards": "Setpoint 仪表板",
    "Data source": "数据源",
    "Site": "站点",
    "Host": "主机",
    "Device": "设备",
    "Port": "端口",
    "Point": "计划点",
    "Now": "当前",
    "no data": "无数据",
    "up": "正常",
    "down": "中断",
    "Uptime": "运行时间",
    "Value": "值",
    # NOC overview
    "NOC overview": "NOC 总览",
    "Is everybody there, and who is worst off.": "各对象是否在线，哪些状况最差。",
    "Who is there": "在线情况",
    "Agents up": "在线代理",
    "Agents that reported in the last 2 minutes.": "最近 2 分钟内有上报的代理。",
    "Agents silent": "静默代理",
    "Agents that reported in the last 24 hours, but not in the last 2 minutes.": (
        "最近 24 小时内有上报、但最近 2 分钟内没有上报的代理。"
    ),
    "Tools up": "正常工具",
    "Probes whose newest result is a success.": "最新结果为成功的探测。",
    "Tools down": "故障工具",
    "Probes whose newest result is a failure.": "最新结果为失败的探测。",
    "Devices up": "在线设备",
    "Devices that answered the newest poll.": "最近一次轮询有应答的设备。",
    "Devices down": "离线设备",
    "Devices that did not answer the newest poll.": "最近一次轮询没有应答的设备。",
    "What the reviews found": "评审发现",
    "Open findings: critical": "未关闭发现：严重",
    "Open findings: warning": "未关闭发现：警告",
    "Open findings: info": "未关闭发现：提示",
    "As of the last review of the last 24 hours.": "以最近 24 小时内最后一次评审为准。",
    "Episodes, last 24 hours": "超限次数（最近 24 小时）",
    "Times that a value stayed beyond a threshold of the plan for as long as it says.": (
        "数值超出计划阈值并达到计划规定持续时间的次数。"
    ),
    "Worst off": "状况最差",
    "Busiest processors": "最繁忙的处理器",
    "Fullest memory": "内存占用最高",
    "Fullest file systems": "文件系统占用最高",
    "Means of the last 5 minutes.": "最近 5 分钟的均值。",
    "Used": "已用",
    "Agents of the last 24 hours": "最近 24 小时的代理",
    "Batches waiting": "待发批次",
    "Oldest waiting": "最早待发时长",
    # Host
    "What one host measured of itself. Lines and shades are the thresholds of the plan.": (
        "一台主机的自身测量。线与阴影为计划阈值。"
    ),
    "CPU busy": "CPU 使用率",
    "CPU by kind": "CPU 分类使用率",
    "Memory used": "内存使用率",
    "Memory by kind": "内存分类用量",
    "Swap used": "交换区使用率",
    "Load, 5 minutes": "负载（5 分钟）",
    "Processors": "处理器数",
    "Processor and memory": "处理器与内存",
    "Disks": "磁盘",
    "File systems used": "文件系统使用率",
    "Inodes used": "inode 使用率",
    "Bytes read and written": "读写字节",
    "Disks busy": "磁盘繁忙率",
    "Time per operation": "每次操作耗时",
    "File systems that do not answer": "无应答的文件系统",
    "answers": "有应答",
    "does not answer": "无应答",
    "Network": "网络",
    "Traffic": "流量",
    "Errors and drops": "错误与丢弃",
    "Processes and sensors": "进程与传感器",
    "Processes": "进程",
    "Temperatures": "温度",
    # Network device
    "Network device": "网络设备",
    "Ports, processors, memory and sensors of one device.": "一台设备的端口、处理器、内存与传感器。",
    "Polled by": "轮询主机",
    "Answers": "应答",
    "Time of a poll": "轮询耗时",
    "Ports": "端口",
    "Load": "利用率",
    "Errors": "错误",
    "Discards": "丢弃",
    "State of the ports": "端口状态",
    "testing": "测试中",
    "unknown": "未知",
    "dormant": "休眠",
    "not present": "不存在",
    "lower layer down": "下层中断",
    "Processors and memory": "处理器与内存",
    "Storage used": "存储使用率",
    "Sensors": "传感器",
    "Fans": "风扇",
    "Power": "功率",
    "Voltages": "电压",
    "Sensors, newest values": "传感器最新值",
    "In SI units: degrees Celsius, volts, amperes, watts, rpm, hertz.": (
        "国际单位：摄氏度、伏、安、瓦、转/分、赫兹。"
    ),
    "Limits that the device itself knows": "设备自带的限值",
    "As they were read from the device.": "从设备读出的值。",
    "Level": "限值",
    # Tools
    "Tools": "工具",
    "Do the tools that a team works with answer, how fast, and how reliably.": (
        "团队所用的工具是否应答、有多快、有多可靠。"
    ),
    "Probed from": "探测主机",
    "Do they answer": "是否应答",
    "Web": "Web",
    "TCP": "TCP",
    "success": "成功",
    "timeout": "超时",
    "connection failed": "连接失败",
    "name unknown": "域名无法解析",
    "unexpected content": "内容不符",
    "unexpected status": "状态码不符",
    "body unreadable": "正文读取失败",
    "nothing to read": "无可读内容",
    "Web: time to answer": "Web：应答时间",
    "TCP: time to answer": "TCP：应答时间",
    "Web: available, last 7 days": "Web：可用率（最近 7 天）",
    "TCP: available, last 7 days": "TCP：可用率（最近 7 天）",
    "Available": "可用率",
    "Share of the probes that succeeded. A finding's availability is weighted by time.": (
        "成功探测所占比例。发现中的可用率按时间加权。"
    ),
    "Certificates": "证书",
    "Expires in": "剩余有效期",
    "Processes that run": "运行中的进程",
    "Running": "运行数",
    "Open files": "打开文件数",
    # Gaps
    "Gaps": "差距",
    "How far what was measured is from what was planned.": "实测与计划之间的差距。",
    "Address of the collector's page": "采集器页面地址",
    "Open findings": "未关闭的发现",
    "no open findings": "没有未关闭的发现",
    "Finding": "发现",
    "A click on a row opens the finding on the collector's page.": "点击一行可在采集器页面上打开该发现。",
    "Points of the plan": "计划点",
    "Newest review": "最近一次评审",
    "Measured": "实测",
    "Target": "目标",
    "Gap": "差距值",
    "Beyond a threshold": "超限占比",
    "Coverage": "测量覆盖率",
    "Time beyond a threshold": "超限时间占比",
    # Setpoint itself
    "Setpoint itself": "Setpoint 自身",
    "What is taken in and stored, how fast, and what is lost or refused.": (
        "接收与存储了什么、有多快、丢失或拒绝了什么。"
    ),
    "Series": "序列数",
    "From measuring to stored": "从测量到入库",
    "Messages waiting": "待处理消息",
    "Store failures since start": "启动以来的存储失败",
    "Collector": "采集器",
    "Readings stored": "入库读数",
    "Time in the store and in decoding": "存储与解码耗时",
    "Share of the time that the collector spent on it.": "采集器在其上所花时间的占比。",
    "Refused, dropped, failed": "拒绝、丢弃与失败",
    "Waiting to be stored": "待入库",
    "Time of a review": "评审耗时",
    "Processor": "处理器",
    "Memory": "内存",
    "Agents": "代理",
    "Outbox: batches": "发件箱：批次",
    "Outbox: age of the oldest": "发件箱：最早批次的时长",
    "Outbox: size": "发件箱：大小",
    "From sent to acknowledged": "从发送到确认",
    "Lost and refused readings": "丢失与被拒的读数",
    "Batches sent again": "重发批次",
    "Inputs: time of a gathering": "输入：采集耗时",
    "Inputs: outcome": "输入：结果",
    "done": "完成",
    "error": "错误",
    "too late": "超时",
    "hangs": "挂起",
    "Agents: processor": "代理：处理器",
    "Agents: memory": "代理：内存",
}


def translate(english: str, language: Language) -> str:
    """The text in that language. KeyError for one that nobody has translated."""
    return english if language == "en" else CHINESE[english]
