"""One module for each level: files, scripts and checks of a guest at that level."""
