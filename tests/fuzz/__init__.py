"""Random programs, run here in every way that there is, and on PyTorch: values, gradients and second gradients.

    ops       the table: for each op a way to draw a call of it, as text for this package and as text for PyTorch
    pool      what a program that is being made offers to its next step: earlier values, new leaves, axes, numbers
    grammar   draws programs: a few steps, each from the table
    program   what a program is, how it is printed as code, and how one step of it is taken out
    ways      runs a program: here, on PyTorch, compiled, drawn, explained
    compare   where the answers differ, which op is to blame, and what is excused; known lists what stays as it is
    search    draws, compares, shrinks what goes wrong, and tells each fault once

``make fuzz N=100000`` is the command line. A program is a list of steps over earlier values, so nodes with several
consumers come by themselves. What no later step uses is reduced to one loss by a weighted sum. The gradients of the
loss are compared for all values, and for the leaves also those of a weighted sum of their gradients.
"""
