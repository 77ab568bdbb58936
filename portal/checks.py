"""System checks, with ids."""
