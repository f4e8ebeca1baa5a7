"""The commands, a file each: the function that has the name of its file."""
