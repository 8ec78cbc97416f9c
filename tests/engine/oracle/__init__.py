"""Says whether a cluster is as it must be, from the lab's database and the engine's file alone.

The oracle shares no code with the program: it reads SQLite rows and JSON files, and the words and
numbers that the stack file promises. Each check gives sentences about what is wrong; none is good.
"""
