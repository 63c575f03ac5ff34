"""Sizing a fleet: machines and their prices, what streams need, how many machines they take and what that costs."""
