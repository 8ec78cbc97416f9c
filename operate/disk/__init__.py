"""`disk`: files of a node that is off, from below its operating system."""
