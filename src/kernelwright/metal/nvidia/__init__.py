"""Metal kernels on NVIDIA GPUs: the same translated program through clang's PTX back end and the CUDA driver.

Nothing of a CUDA toolkit is needed, at no time: clang writes PTX, the driver makes machine code of it. Importing this
package costs no torch and loads no driver.
"""
