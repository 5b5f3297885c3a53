"""The rules of Tocsin as values and tables: no I/O, no clock of its own, no sockets."""
