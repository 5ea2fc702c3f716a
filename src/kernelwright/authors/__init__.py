"""Authors: whatever writes Candidates. Nothing here imports torch before an Author is asked to propose."""

from kernelwright.authors.author import Author, AuthorError, Proposal, Task, waits
from kernelwright.authors.registry import NAMED_BY_FORM, default_names, get, names

__all__ = ["NAMED_BY_FORM", "Author", "AuthorError", "Proposal", "Task", "default_names", "get", "names", "waits"]
