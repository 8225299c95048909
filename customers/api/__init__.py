"""The HTTP API: who may ask, how bodies are read, how refusals are told, and what can be told of customers."""
