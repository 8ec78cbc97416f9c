"""A lab without the machine's root: all of it inside a user namespace of its own."""
