"""Telling people: messages made of recorded transitions, the shapes that sinks take, and their delivery in order."""
