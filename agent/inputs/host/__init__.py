"""The machine that the agent runs on: processor, memory, disks, network, processes, temperatures.

Measurements, tags and fields carry the names that Telegraf gives them.
"""
