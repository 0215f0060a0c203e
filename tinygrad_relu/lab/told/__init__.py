"""Findings of the lab, in words and pictures.

For each experiment a module of its name, with ``CAPTION`` for its figure and three functions of its findings:
``tables``, ``claims`` and ``figure``.
"""
