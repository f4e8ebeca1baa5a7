"""A fitted run: directory <-> memory, and the verbs, each imported from the file that has its name."""
