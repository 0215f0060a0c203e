"""Random programs, run here in every way that there is, and on PyTorch: values, gradients and second gradients.

    program   what a program is: leaves, constants and steps, each as text for this package and as text for PyTorch
    pool      what a program that is being made offers to its next step: earlier values, new leaves, axes, indices
    grammar   the table of ops, with a way to draw a call of each; elementwise, structure and losses are its chapters
    compare   runs a program eagerly, compiled, drawn, explained and on PyTorch, and says where they differ
    search    draws programs with hypothesis, and shrinks what differs; ``python -m fuzz`` is its command line

A program is a list of steps over earlier values, so nodes with several consumers come by themselves. What no later step
uses is reduced to one loss by a weighted sum.
"""
