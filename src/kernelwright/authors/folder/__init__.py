"""A task as a folder in which any coding agent or person can work, and the Author that proposes what lies in it.

Start reading at ``contents.py``: what the folder holds. Imports no torch until a folder is made.
"""

from kernelwright.authors.folder.author import FolderAuthor, spec_of, submitted
from kernelwright.authors.folder.contents import TaskFolder, TaskFolderError

__all__ = ["FolderAuthor", "TaskFolder", "TaskFolderError", "spec_of", "submitted"]
