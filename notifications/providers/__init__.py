"""Adapters that hand messages to the outside world: values in, values out, no Django."""
