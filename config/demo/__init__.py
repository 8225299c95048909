"""The demo shop: a flower shop with customers, texts, rules and campaigns, to click through."""
