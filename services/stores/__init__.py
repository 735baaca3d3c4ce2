"""The stores of this server, as they are read: by id, live while they fill."""
