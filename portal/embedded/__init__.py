"""The embedded default: Postgres and Redis from wheels, on sockets in the data folder.

One *owner* process (``owner``) starts both servers, watches them, and stops them when the last
process that uses them has gone. Every ``manage.py`` process is a *user* (``session``): it holds a
shared lock for as long as it lives, which the kernel releases even when it is killed.
"""

from portal.embedded.layout import Layout
from portal.embedded.session import EmbeddedError, use

__all__ = ["EmbeddedError", "Layout", "use"]
