"""Errors of JAX and its libraries that mean that memory is missing, recognized by their texts."""

import jax

# What XLA, cuDNN, cuBLAS and cuSOLVER say when they cannot start because other processes hold the memory of the GPU.
_STARTS = (
    "CUDNN_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUSOLVER_STATUS_NOT_INITIALIZED",
    "cuSolver internal error",
    "cublas handle",
    "cudnn handle",
    "DNN library initialization failed",
    "DNN library is not found",
    "Failed to determine best cudnn convolution algorithm",
    "CUDA_ERROR_OUT_OF_MEMORY",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed."""
    if isinstance(error, jax.errors.JaxRuntimeError):
        return "RESOURCE_EXHAUSTED" in str(error)
    return isinstance(error, MemoryError)


def memory_message(error: BaseException) -> str | None:
    """One line on what is missing and what to do, for an error that means missing memory; None for all other errors."""
    if is_out_of_memory(error):
        return "there is not enough memory for pictures of this size; choose a smaller size"
    text = str(error).lower()
    if isinstance(error, RuntimeError) and any(start.lower() in text for start in _STARTS):
        return (
            "the GPU has no memory left to start with, probably because another process holds it (see "
            "nvidia-smi): end that process, or set XLA_PYTHON_CLIENT_PREALLOCATE=false there if it uses JAX; or set "
            "XLA_PYTHON_CLIENT_MEM_FRACTION here to the share that is free, such as 0.3"
        )
    return None
