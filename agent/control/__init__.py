"""The local control socket: commands to the running daemon, so that nobody else opens a port."""
