"""The study of learning from few labels: short runs of a small network on a coarse grid.

``curve`` does the whole study and writes its page; every other command does one method of it.
"""
