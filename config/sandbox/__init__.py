"""The sandbox gateway: a provider that sends nothing, remembers everything and misbehaves on request."""
