"""How often the A/V offset by content is answered, and how often that is right: joins of a user's clips."""
