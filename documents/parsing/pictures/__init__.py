"""Pictures of text, and the recognition of what they show."""
