"""The embedded MQTT broker of the single-box mode.

It speaks MQTT 3.1.1 and runs in a process of its own. ``process`` starts and stops it, ``credentials`` says
who may connect, ``access`` who may publish and read what. A site with a broker of its own needs none of this.
"""
