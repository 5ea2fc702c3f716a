"""Every attack that we know of, by what it tries. Samples are files of ``tests/hostile/candidates``."""

from dataclasses import dataclass

from kernelwright.judge.integrity.defences import MEASURES, RULES, Defence, Layer


@dataclass(frozen=True)
class Attack:
    """``stopped_by`` names rules and measures, the one that matters most first."""

    title: str
    tries: str
    stopped_by: tuple[str, ...]
    samples: tuple[str, ...]

    @property
    def defences(self) -> tuple[Defence, ...]:
        return tuple(RULES.get(name) or MEASURES[name] for name in self.stopped_by)

    @property
    def rules(self) -> frozenset[str]:
        """Those of its defences that a verdict names."""
        return frozenset(name for name in self.stopped_by if name in RULES)

    @property
    def layer(self) -> Layer:
        return self.defences[0].layer


@dataclass(frozen=True)
class Gap:
    """What is knowingly not stopped, and what it costs. ``samples`` are accepted, and their tests say so."""

    title: str
    why: str
    samples: tuple[str, ...] = ()


def _attack(title: str, tries: str, stopped_by: str, samples: str) -> Attack:
    return Attack(title, tries, tuple(stopped_by.split()), tuple(samples.split()))


TIME = (
    _attack(
        "Side stream",
        "work runs on a stream that the timing events do not see",
        "late_inputs clock_disagreement idle_device norm timed_output",
        "side_stream gpu_side_stream_priority gpu_foreign_stream gpu_side_stream_small gpu_late_wait "
        "gpu_side_stream_when_timed gpu_switched_stream gpu_host_callback gpu_pinned_race",
    ),
    _attack(
        "Pipelined answers",
        "each call hands out the last one's answer and starts its own for later",
        "timed_output changed_element norm clock_disagreement",
        "gpu_pipelined",
    ),
    _attack(
        "Background thread",
        "a thread goes on with the work after the call returned",
        "norm timed_output background_work deferred_work",
        "background_thread gpu_background_thread",
    ),
    _attack(
        "Background process",
        "a child process goes on with the work after the call returned",
        "norm structure forward process_ended background_work",
        "background_process",
    ),
    _attack(
        "Lazy outputs",
        "a tensor subclass, or an object that looks like a tensor, computes when somebody looks",
        "plain_tensor structure protocol deferred_work timed_output clock_disagreement forward",
        "lazy_subclass lazy_object lying_report gpu_lazy_subclass",
    ),
    _attack(
        "Patched clocks",
        "the clocks of Python, of torch or of the C library run slow, or events are recorded elsewhere",
        "outer_clock clock_disagreement impossible_time norm timed_output process_ended",
        "patched_clocks patched_libc_clock gpu_patched_events gpu_patched_synchronize gpu_events_on_the_side "
        "gpu_replaced_default_stream",
    ),
    _attack(
        "Replaced timing loop",
        "the loop that calls the candidate is replaced by one that calls nothing",
        "clock_disagreement deferred_work timed_output impossible_time forward",
        "replaced_bench",
    ),
    _attack(
        "CUDA graph, stale replay",
        "a graph is replayed on the inputs it was captured with, or on some of them",
        "changed_element norm outputs_reused nondeterministic",
        "stale_graph gpu_graph_every_other gpu_graph_one_input gpu_graph_same_output",
    ),
    _attack(
        "Skipping by counter",
        "work is done in the first calls, or in some of them",
        "timed_output random_looks norm nondeterministic",
        "call_counter_early call_counter_late skip_every_other gpu_warm_up_counter",
    ),
    _attack(
        "Skipping by time",
        "work is done in the first half second of the process, by its clock or by the GPU's",
        "timed_output random_looks norm nondeterministic outputs_reused",
        "clock_skip gpu_device_clock",
    ),
    _attack(
        "Detecting the timing loop",
        "calls that follow each other at once are taken for timed ones",
        "timed_output random_looks norm clock_disagreement",
        "rapid_fire_skip",
    ),
    _attack(
        "Slowing the reference",
        "processes, threads or kernels keep the device busy while the baseline runs",
        "background_work clock_disagreement deferred_work interleaved process_limit forward norm",
        "slowed_reference slowed_reference_threads gpu_busy_device",
    ),
)

MEMORY = (
    _attack(
        "Stale allocator memory",
        "uninitialised memory is handed out in the hope that the reference's output lay there",
        "separate_reference norm worst nonfinite nondeterministic",
        "stale_memory gpu_stale_allocator gpu_half_of_the_rows gpu_missing_tail gpu_snapshot_walk",
    ),
    _attack(
        "Leftover memory of other processes",
        "raw device memory is searched for what somebody else left",
        "separate_reference fresh_process norm nonfinite worst forward process_ended",
        "gpu_leftover_memory gpu_neighbouring_memory",
    ),
    _attack(
        "Shared memory: garbage, races, overflow",
        "a kernel reads what it never wrote, does not wait, or writes behind the end",
        "norm nondeterministic worst nonfinite forward process_ended",
        "gpu_uninitialised_shared gpu_missing_barrier gpu_shared_overflow gpu_illegal_address gpu_triton_lost_updates "
        "gpu_triton_no_mask noise",
    ),
    _attack(
        "Input mutation",
        "inputs are edited in place, openly or behind their version counter",
        "input_mutation aliasing norm",
        "input_edited input_edited_through_data",
    ),
    _attack(
        "Aliased outputs",
        "an input, or a view of it, is handed back as the output",
        "aliasing",
        "aliased_output aliased_view",
    ),
    _attack(
        "Overlapping outputs and strides",
        "outputs share memory, or one element is expanded over many",
        "overlapping_outputs",
        "overlapping_outputs expanded_output",
    ),
    _attack(
        "Reused output buffer",
        "each call writes into the tensors that an earlier one returned",
        "outputs_reused norm",
        "reused_output_buffer gpu_dangling_output",
    ),
)

CACHES = (
    _attack(
        "Cache by identity",
        "answers are remembered by `id` of the input",
        "same_tensors norm nondeterministic",
        "cache_by_identity",
    ),
    _attack(
        "Cache by address",
        "answers are remembered by `data_ptr`, in Python or in a static table of C",
        "same_tensors norm nondeterministic",
        "cache_by_pointer cache_in_c gpu_cache_by_pointer",
    ),
    _attack(
        "Cache by shape",
        "answers are remembered by shape and dtype",
        "secret_draws norm",
        "cache_by_shape",
    ),
    _attack(
        "Cache by checksum",
        "answers are remembered by a few elements, by the set of rows, or by the direction of an input",
        "changed_element norm metamorphic_permutation metamorphic_scaling",
        "cache_by_checksum gpu_cache_by_checksum metamorphic_row_set metamorphic_direction",
    ),
    _attack(
        "Cache by value",
        "answers are remembered and handed out again where the whole input is equal",
        "changed_element norm clock_disagreement timed_output outputs_reused nondeterministic",
        "memo_by_equality",
    ),
    _attack(
        "Seed regeneration",
        "seeds are frozen, or inputs are drawn again under likely seeds and their answers kept",
        "secret_draws norm",
        "seed_regenerated frozen_seeds",
    ),
)

NUMBERS = (
    _attack(
        "Zeros, constants, identity",
        "an answer that hides below an absolute tolerance, or that is right on [0, 1)",
        "norm stress_draws",
        "zeros constant identity_on_rand",
    ),
    _attack(
        "Precision downgrade",
        "operands or results pass through tf32, bfloat16 or float16",
        "norm worst small",
        "bfloat16_matmul float16_linear simulated_tf32 gpu_bfloat16 gpu_float16 gpu_autocast gpu_triton_tf32 "
        "gpu_two_of_three_products gpu_float8 gpu_half_accumulator gpu_cublas_by_hand",
    ),
    _attack(
        "Precision flags of the process",
        "tf32, lower matmul precision, another default dtype or device is switched on for everyone in the process",
        "separate_reference norm dtype nonfinite forward",
        "lowered_precision_globally default_device_meta gpu_tf32_flag gpu_matmul_precision gpu_fp32_precision",
    ),
    _attack(
        "Approximation below the tolerance",
        "tanh formulas, rational functions, straight lines in the place of functions",
        "norm small worst stress_draws",
        "tanh_gelu rational_tanh linear_sigmoid",
    ),
    _attack(
        "Ignored default parameters",
        "scales of one, shifts of zero and fresh running statistics are left out, or kept and not read",
        "randomised_weights norm",
        "ignored_affine ignored_running_statistics",
    ),
    _attack(
        "Assumed structure",
        "a prefix, a window, sortedness: right where the problem's own draws happen to be",
        "norm stress_draws value",
        "prefix_only truncated_recurrence assumes_sorted transposed",
    ),
    _attack(
        "Hard-coded shapes",
        "sizes are written into the kernel: allowed, since it is given no other shapes, and labelled `fixed_shapes`",
        "other_size",
        "hard_coded_shape",
    ),
    _attack(
        "Values that are not finite",
        "NaN and infinities, which many comparisons let through",
        "nonfinite",
        "not_a_number infinite one_nan",
    ),
    _attack(
        "Other shapes, dtypes, containers",
        "broadcasting, flattening, promotion, lists, numbers, sparse and empty tensors, too many or too few outputs",
        "shape dtype structure device norm plain_tensor forward protocol",
        "broadcast_shape flattened half_dtype wrong_dtype python_numbers list_for_tuple extra_output first_output_only "
        "wrong_second_output sparse_output meta_output gpu_output_on_cpu",
    ),
    _attack(
        "Own inputs, own reference, own weights",
        "the file brings `Model` and `get_inputs` of its own, or computes with weights of its constructor",
        "own_text other_weights norm construction",
        "own_get_inputs missing_parameters weights_of_construction",
    ),
)

PROCESS = (
    _attack(
        "Patched torch",
        "functions, comparisons, `nn.Module.__call__` and methods of `torch.Tensor` are replaced",
        "separate_reference norm structure forward import construction",
        "patched_comparisons patched_functional patched_module_call",
    ),
    _attack(
        "Function and dispatch modes",
        "a mode that stays active answers for every operator",
        "separate_reference norm worst aliasing forward construction structure protocol process_ended plain_tensor",
        "function_mode dispatch_mode",
    ),
    _attack(
        "Stack, garbage collector, modules",
        "frames, tracked objects and `sys.modules` are searched for reference, outputs and harness",
        "separate_reference norm forward",
        "stack_walk gc_walk harness_patched judge_imported",
    ),
    _attack(
        "/proc and other processes' memory",
        "memory, descriptors and environments of other processes are read",
        "namespaces norm forward process_ended",
        "other_processes_memory other_processes_descriptors",
    ),
    _attack(
        "Forged result channel",
        "verdicts, pickles or zeros are written to every descriptor, headers lie, files are cut short",
        "separate_reference protocol raw_outputs norm process_ended forward time_limit",
        "forged_verdict_everywhere forged_pickle_everywhere zero_bytes_everywhere closed_descriptors forged_header "
        "cut_short",
    ),
    _attack(
        "Code in answers",
        "outputs and exceptions run code wherever they are unpickled or printed",
        "raw_outputs structure aliasing forward protocol process_ended",
        "pickled_code_as_output pickled_code_as_error error_that_fails",
    ),
    _attack(
        "Oversized and endless outputs",
        "expanded tensors of 2^42 elements, lists that contain themselves, floods of prints",
        "protocol shape structure overlapping_outputs forward norm memory_limit",
        "endless_output endless_nesting output_flood",
    ),
    _attack(
        "SystemExit, KeyboardInterrupt",
        "the process is ended as if all were well, or as if the user had asked for it",
        "forward import construction process_ended",
        "exit_in_forward exit_in_constructor exit_at_import keyboard_interrupt",
    ),
    _attack(
        "os._exit, atexit, signals to itself",
        "the process ends behind Python's back, with the right words on its standard output",
        "process_ended norm forward import",
        "hard_exit_in_forward hard_exit_at_import exit_hook killed_by_itself segmentation_fault gpu_device_reset",
    ),
    _attack(
        "Files of the problem, the judge, the packages",
        "files are left or changed wherever the user may write",
        "private_files norm forward",
        "files_outside",
    ),
    _attack(
        "Private files",
        "homes and temporary folders are searched for keys and problems",
        "private_files norm forward",
        "private_files",
    ),
    _attack(
        "Messages to the next candidate",
        "files, shared memory: what one candidate learnt is left for the next",
        "namespaces fresh_process norm",
        "message_in_a_bottle",
    ),
    _attack(
        "Planted binaries",
        "a library is left where compilers keep theirs, for another candidate, or the same one judged again, to load",
        "kept_builds private_files fresh_process norm",
        "planted_builds",
    ),
    _attack(
        "Linked and enormous artifacts",
        "links to other files lie where generated code is collected",
        "private_files runtime_labels",
        "symlinked_artifacts",
    ),
    _attack(
        "Network",
        "listening ports, abstract sockets, addresses outside",
        "no_network norm forward",
        "network",
    ),
    _attack(
        "Secrets in the environment",
        "variables that are named like keys",
        "clean_environment norm",
        "environment_secrets",
    ),
    _attack(
        "Signals to the parent",
        "everything that may be signalled is killed",
        "namespaces process_ended forward norm",
        "kill_everything",
    ),
    _attack(
        "System calls",
        "debugging, mounts, namespaces, keys, BPF, performance events, raw sockets",
        "seccomp norm",
        "system_calls",
    ),
    _attack(
        "Fork and thread bombs, orphans",
        "processes and threads without number, and a grandchild in a session of its own",
        "process_limit namespaces norm forward process_ended memory_limit",
        "fork_bomb thread_bomb orphans",
    ),
    _attack(
        "Memory bombs",
        "memory of the machine or of the GPU, in one process or spread over children, or none left for the reference",
        "memory_limit forward timing process_limit norm process_ended",
        "memory_bomb memory_bomb_tensors memory_in_children gpu_memory_bomb gpu_memory_fraction gpu_memory_squeeze",
    ),
    _attack(
        "Disk bomb",
        "files are written until the disk is full",
        "private_files forward memory_limit process_ended",
        "disk_bomb",
    ),
    _attack(
        "Hanging",
        "an import, a call, a C function or a kernel that never ends, or a process that stops itself",
        "time_limit process_ended memory_limit cpu_limit",
        "hang_at_import hang_in_forward hang_in_one_call stopped_by_itself endless_recursion gpu_endless_kernel",
    ),
)

BYPASS = (
    _attack(
        "Library wrapper",
        "PyTorch's operators under the name of another target, in Python, in C++ or in a CUDA graph",
        "no_own_kernel traced_origin",
        "library_wrapper library_wrapper_in_cpp gpu_graph_of_the_library",
    ),
    _attack(
        "Reference resubmitted",
        "the reference under another name: allowed for target `torch`, and labelled `same_operators`",
        "traced_origin",
        "reference_resubmitted",
    ),
    _attack(
        "Fall-back to the reference",
        "a kernel that fails, and PyTorch where it does",
        "no_own_kernel traced_origin",
        "falls_back gpu_triton_falls_back",
    ),
    _attack(
        "Decoy kernel",
        "a kernel runs, and its result is thrown away, written over, never chosen or multiplied by zero",
        "no_own_kernel traced_origin",
        "decoy_kernel decoy_written_over decoy_never_chosen decoy_times_zero gpu_cuda_decoy gpu_triton_decoy",
    ),
    _attack(
        "Hidden torch.compile",
        "`torch.compile` under a name that reading does not find: labelled `uses_torch_compile`",
        "runtime_labels",
        "hidden_compile",
    ),
    _attack(
        "Prebuilt binary",
        "machine code in the text, plain or encoded",
        "binary_blob",
        "binary_blob",
    ),
    _attack(
        "Other packages",
        "packages that are installed here and may be missing where the kernel is put to use",
        "imports",
        "forbidden_import",
    ),
    _attack(
        "No candidate at all",
        "text that does not parse, compile, or define what it should: most first tries",
        "syntax no_model_new import construction forward structure",
        "syntax_error no_model no_module wrong_constructor compiler_error",
    ),
)

ATTACKS: tuple[Attack, ...] = (*TIME, *MEMORY, *CACHES, *NUMBERS, *PROCESS, *BYPASS)

GAPS: tuple[Gap, ...] = (
    Gap(
        "Kernels that are right on every draw and wrong elsewhere",
        "draws are many and of several kinds, but they are draws. Deployed kernels are called only with shapes, dtypes "
        "and devices that were verified",
    ),
    Gap(
        "A decoy that looks whether somebody watches",
        "the watched calls run in the candidate's own process. What it wins is a missing label, never a speed: the "
        "time is that of what it really does",
        ("decoy_that_looks_around",),
    ),
    Gap(
        "Machine code that no rule on text recognises",
        "compressed or encrypted, it is data like any other. It runs in the same isolation, is held to the same "
        "numbers and clocks, and the call that unpacks it is remarked on",
        ("compressed_blob",),
    ),
    Gap(
        "A few microseconds on another stream",
        "a candidate that waits for its streams while it is checked and not while it is timed can hide what is less "
        "than about 15 % of the time that passes around a call, some 15 µs on the GPUs we measured; more is a clock "
        "disagreement",
    ),
    Gap(
        "Escapes through the kernel or the GPU's driver",
        "a sandbox shares the machine's kernel, and a GPU platform its driver. SECURITY.md says what to do about "
        "authors whom you would not let near either",
    ),
    Gap(
        "What it does on another machine or another day",
        "the verdict is about this file on this machine. Deployed kernels are judged again on theirs",
    ),
    Gap("Gradients", "modules are judged in eval mode, forward only"),
)
