"""Formats made of elements: HTML, and EPUB, which is HTML in an archive."""
