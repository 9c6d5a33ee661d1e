"""The guard's panel: one page for the screen in the gatehouse, read-only, on 127.0.0.1."""
