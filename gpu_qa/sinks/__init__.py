"""Where results go: the terminal, JSON, JSON Lines, the HTML report, and what the report is made of."""
