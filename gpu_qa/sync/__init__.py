"""How far sound and picture are apart: series → `SyncSeries`, by several independent ways."""
