"""What the figures of the README and the docs come from; each module is a command."""
