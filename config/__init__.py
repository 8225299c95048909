"""How Hongyan is wired: settings, URLs, the timetable, the admin site and the embedded servers."""
