"""Which stress draws suit a module, by the operators that it dispatches.

Every draw costs each candidate a call, so kinds are chosen: those that find something in modules of this make, and not
those that never do. What finds what was counted by ``benchmarks/accuracy_threshold.py`` (see ``docs/accuracy.md``).

=========================================== ===========================================================================
operators                                   kinds
=========================================== ===========================================================================
all                                         ``scaled``, ``negative``, ``large``
comparisons, choices, jumps, poles at zero  ``ties``; also where an operator is not one of those known to be smooth
softmax, logsumexp, attention               ``spread``
tanh, sigmoid, exp, GELU and their kin      ``tail``, unless there is ``spread`` or a product in front
maxima, sorting, top-k, max pooling alone   ``negative``, ``ties``, ``tail``, ``ascending``
sums, means, norms, no product in front     ``ascending``, where this makes no more than four in all
=========================================== ===========================================================================
"""

from kernelwright.problems.stress import STRESS_KINDS

MOST_KINDS = 4


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ORDER = _names("""
    max amax min amin aminmax argmax argmin topk sort msort argsort kthvalue median mode cummax cummin
    max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d
    searchsorted bucketize
""")
_WEIGHING = _names("""
    _softmax _log_softmax _safe_softmax logsumexp logaddexp logcumsumexp binary_cross_entropy_with_logits
    _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_attention_math
    _scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention
""")
_CURVED = _names("""
    exp exp2 expm1 sin cos tanh sigmoid gelu silu softplus mish elu celu selu erf erfc log_sigmoid_forward
    mkldnn_rnn_layer
""")
_SUMS = _names("""
    sum mean var std var_mean linalg_vector_norm native_layer_norm _fused_rms_norm native_group_norm native_batch_norm
    _native_batch_norm_legit _adaptive_avg_pool2d _adaptive_avg_pool3d mse_loss
""")
_PRODUCTS = _names("mm addmm bmm baddbmm mv addmv dot convolution mkldnn_convolution")
_SMOOTH = _PRODUCTS | _names("""
    cumsum avg_pool2d avg_pool3d nll_loss_forward
    add sub rsub mul neg square addcmul lerp _native_batch_norm_legit_no_training
    _to_copy clone copy detach alias lift_fresh contiguous view _unsafe_view reshape _reshape_copy expand permute
    transpose t unsqueeze squeeze select slice split split_with_sizes unsafe_split chunk unbind cat stack as_strided
    flatten constant_pad_nd repeat flip roll native_dropout unfold im2col col2im
    empty zeros ones scalar_tensor zeros_like ones_like
""")


def stress_kinds(operators: frozenset[str]) -> tuple[str, ...]:
    """The kinds of :func:`kernelwright.problems.stress.stress` for a module that dispatches these operators.

    Names are PyTorch's with their namespace (``aten.addmm``, ``aten.relu_``). At most ``MOST_KINDS``, except where a
    module has both choices and curves; the basic kinds where nothing is known.
    """
    names = {name.removeprefix("aten.").rstrip("_") or name for name in operators}
    if not names:
        return STRESS_KINDS
    working = names - _SMOOTH
    if working and working <= _ORDER:
        return ("negative", "ties", "tail", "ascending")
    known = _WEIGHING | _CURVED | _SUMS | _SMOOTH
    kinds = ["scaled", "negative", "large"]
    if names - known:
        kinds.append("ties")
    if names & _WEIGHING:
        kinds.append("spread")
    elif names & _CURVED and not names & _PRODUCTS:  # behind a product the inputs do not say where the foot is
        kinds.append("tail")
    if names & _SUMS and not names & _PRODUCTS and len(kinds) < MOST_KINDS:
        kinds.append("ascending")
    return tuple(kinds)
