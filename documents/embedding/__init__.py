"""Embedding engines behind one Protocol (``base``), chosen and imported on first use (``registry``)."""
