"""Sync: series → the offset between picture and sound, one module per way to measure it.

Pure functions with explicit carry. Everywhere an offset is t_vision − t_sound: positive where sound is advanced.
"""
