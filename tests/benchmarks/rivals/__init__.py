"""The same work by other software: as an application of Django, which no deployment has."""
