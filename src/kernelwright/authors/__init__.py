"""Authors: whatever writes Candidates. Nothing here imports torch before an Author is asked to propose."""

from kernelwright.authors.author import Author, AuthorError, Proposal, Task, waits
from kernelwright.authors.registry import default_names, get, names

__all__ = ["Author", "AuthorError", "Proposal", "Task", "default_names", "get", "names", "waits"]
