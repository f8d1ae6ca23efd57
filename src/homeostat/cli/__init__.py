"""The command line: one module per noun, each with a click command of the noun's name. What a command does lives in the package it is for.

Data goes to standard output, talk to standard error; `NO_COLOR` is respected; nothing is said by colour alone. A command imports what it
needs when it is called, so that `homeostat --help` and the shell's completion answer at once.
"""
