"""Reminders: rules that look for what comes due, and write to customers by themselves."""
