"""The engine's record, read for people: whoever draws, explains or counts asks here, and walks no graph himself.

A tensor goes through ``reading.read``: it sorts the ops by the time they ran, wraps each in a ``Step`` and each array
in a ``Value``, and asks ``source`` for the line and the variables' names in the user's program. ``activity`` finds
units that are silent or dead, ``summary`` makes the table of a network, and ``order`` walks back in the naive order
and in the right one. ``words`` says what was found in the few characters that fit into a box.
"""
