"""Inference in a process of its own, and how to talk to it.

``client`` talks to it from a script, ``session`` is what every client is built on, ``server`` is
the other side. Nothing is imported here: the process must start where nothing is installed, to say
so.
"""
