"""Where voxels lie in space: frames, grids, resampling."""
