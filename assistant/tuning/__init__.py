"""Tuning models on one's own documents: `docent tune`. Nothing here is loaded by a server."""
