"""What shop systems push: how it is signed, and where in it the facts of an order stand; plain Python."""
