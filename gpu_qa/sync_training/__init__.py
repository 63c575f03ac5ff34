"""How the weights of the content way are made: rendered talkers and impacts, and anyone's own footage."""
