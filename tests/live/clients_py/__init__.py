"""Programs that run in the environments of the clients; their imports are not those of the project."""
