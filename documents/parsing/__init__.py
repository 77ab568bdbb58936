"""Reading files. Parsers run in a child process (``jail``) and hand back plain data (``types``)."""
