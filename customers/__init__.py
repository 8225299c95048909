"""Who the customers are, what they bought and what they allowed."""
