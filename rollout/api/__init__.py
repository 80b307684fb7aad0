"""The HTTP API: FastAPI in the controller's process, for people, programs and the command line."""
