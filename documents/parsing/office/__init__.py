"""Office documents: Word, PowerPoint, Excel, CSV, OpenDocument."""
