"""What moves in the tiles of pictures: measures of their sums, and these on a grid of 25 Hz, a byte each."""

from gpu_qa_kernels.motion_grid.cpu import packed_on_grid, tile_measures

__all__ = ["packed_on_grid", "tile_measures"]
