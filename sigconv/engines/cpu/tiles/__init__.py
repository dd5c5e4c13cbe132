"""Register tiles: what kernels are made of. Importing one of these modules imports llvmlite and Numba."""
