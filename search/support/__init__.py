"""Whether what was said stands on its sources."""

from search.support.checking import check

__all__ = ["check"]
