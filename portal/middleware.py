"""Middleware of the whole portal."""
def content_security_policy(g):
    return g
def request_latency(g):
    return g
