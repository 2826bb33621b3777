#!/usr/bin/env python3
"""Facts about the machine code of the CUDA kernels, which NVIDIA's cuobjdump reads from the object files of a build.

usage: sass.py CUOBJDUMP OBJECT...

1. No kernel has a stack or local memory, or accesses them: nothing is spilled, and no array lies there.
2. As many blocks of a kernel fit on a multiprocessor as KERNELS says: it takes few enough registers.
3. A wide variant accesses matrices by 128 bits, in its loops by nothing narrower, and all variants that KERNELS names are
   there.
"""
import re
import subprocess
import sys

THREADS, REGISTERS = 256, 65536  # of a block; of a multiprocessor of compute capability 8.0 to 10.0
ANY_KERNEL = 6  # blocks on a multiprocessor

# Kernel: blocks on a multiprocessor; accesses of 128 bits in the loops of its wide variants, where it has any; those
# beside the loops.
KERNELS = {
    # As many as src/cuda/kernels/cover.hpp starts where columns are summed.
    "moments_kernel": (2, "LDG", "LDG"),
    "gradient_sums_kernel": (2, "LDG", ""),
    "activation_gradient_kernel": (4, "LDG STG", ""),
    # A thread keeps what its eight columns of bf16 need in registers: three to six values of each.
    "map": (3, "LDG STG", ""),
    "input_gradient_kernel": (2, "LDG STG", ""),
    "sum_rows": (ANY_KERNEL, "LDG STG", ""),
    "max_forward": (4, "LDG", "STG"),
    "max_backward": (4, "LDG", "STG"),
    "average_forward": (4, "LDG", "STG"),
    "average_backward": (4, "LDG", "STG"),
    "forward_wide": (4, "", "LDG STG"),
    "backward_wide": (4, "", "LDG STG"),
    "normalize_images_kernel": (ANY_KERNEL, "STG", ""),
    "copy_each": (ANY_KERNEL, "", "LDG STG"),
    "copy_rows_kernel": (ANY_KERNEL, "", "LDG STG"),
    "sgd_kernel": (ANY_KERNEL, "", "LDG STG"),
    "blend_kernel": (ANY_KERNEL, "", "LDG STG"),
    "tree_sum_kernel": (ANY_KERNEL, "", "LDG STG"),
    # They compute the gradients of a few thousand weights.
    "split_depthwise": (4, "", ""),
    "split_pointwise": (4, "", ""),
}
# Wide variants whose loops have narrower accesses, too.
NARROW = {
    "max_backward": "argmax has a byte for each channel",
    "normalize_images_kernel": "the images have three bytes for each pixel",
    "copy_each": "rows of different widths are copied element by element",
    "sgd_kernel": "so are they updated",
}
# Each element of a row by itself, or eight at once: one variant does both.
BOTH = ("copy_each", "sgd_kernel")


class Kernel:
    def __init__(self, target):
        self.target, self.name, self.arguments = target, "", ""
        self.usage, self.code = {}, []

    def set_name(self, demangled):
        plain = re.sub(r"^void |(?:\b(?:bn|cuda|_GLOBAL__N__\w+)|\(anonymous namespace\))::", "", demangled)
        self.name, self.arguments = re.match(r"(\w+)(?:<(.*?)>)?\(", plain).groups("")

    def is_wide(self):
        return self.name in BOTH or re.search(r"\b[48]\b|uint4", self.arguments) is not None

    def accesses(self):
        """Those of global memory in loops, and those beside them."""
        branches = [(at, re.search(r"\bBRA\b.*\b0x([0-9a-f]+)", text)) for at, text in self.code]
        loops = [(int(to[1], 16), at) for at, to in branches if to and int(to[1], 16) < at]
        inside, outside = set(), set()
        for at, text in self.code:
            if form := re.search(r"\b(LDG|STG)\.\S+", text):
                (inside if any(begin <= at <= end for begin, end in loops) else outside).add(form[0])
        return inside, outside

    def mistakes(self):
        """Says what is wrong."""
        blocks, in_loops, beside = KERNELS.get(self.name, (ANY_KERNEL, "", ""))
        limit = REGISTERS // THREADS // blocks // 8 * 8
        if self.usage["REG"] > limit:
            yield f"{self.usage['REG']} registers, so that fewer than {blocks} blocks fit: at most {limit} are meant"
        for memory in ("STACK", "LOCAL"):
            if self.usage[memory] > 0:
                yield f"{memory} of {self.usage[memory]} bytes"
        if local := {text.split()[0] for _, text in self.code if re.search(r"\b(LDL|STL)\b", text)}:
            yield f"local memory is accessed by {', '.join(sorted(local))}"
        if not self.is_wide():
            return
        if not in_loops and not beside:
            yield "a wide variant that KERNELS does not know"
        for meant, found, place in zip((in_loops, beside), self.accesses(), ("in loops", "beside loops")):
            for access in meant.split():
                if not any(form.startswith(f"{access}.E.128") for form in found):
                    yield f"no {access}.E.128 {place}"
            # These are allowed: one block sums, column by column, what the other blocks have written.
            narrow = {form for form in found if ".128" not in form and not form.endswith(".STRONG.GPU")}
            if place == "in loops" and narrow and self.name not in NARROW:
                yield f"{', '.join(sorted(narrow))} {place}"


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def kernels_of(cuobjdump, file):
    """Every kernel of an object file, for every architecture in it."""
    found, target = {}, ""
    for line in run(cuobjdump, "--dump-resource-usage", "--dump-sass", file).splitlines():
        if match := re.match(r"\s*(?:arch = |code for )(sm_\w+)", line):
            target = match[1]
        elif match := re.match(r"\s*Function\s*:?\s*(\w+)", line):
            kernel = found.setdefault((target, match[1]), Kernel(target))
        elif re.match(r"\s*REG:", line):
            kernel.usage = {key: int(value) for key, value in re.findall(r"([A-Z]+):(\d+)", line)}
        elif match := re.match(r"\s*/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;", line):
            kernel.code.append((int(match[1], 16), match[2]))
    names = run("c++filt", input="\n".join(name for _, name in found)).splitlines()
    for kernel, name in zip(found.values(), names):
        kernel.set_name(name)
    return list(found.values())


def main():
    kernels = [kernel for file in sys.argv[2:] for kernel in kernels_of(sys.argv[1], file)]
    wide_names = {name for name, (_, in_loops, beside) in KERNELS.items() if in_loops or beside}
    mistakes = []
    for kernel in kernels:
        for mistake in kernel.mistakes():
            mistakes.append(f"{kernel.target} {kernel.name}<{kernel.arguments}>: {mistake}")
    for target in sorted({kernel.target for kernel in kernels}):
        wide = {kernel.name for kernel in kernels if kernel.target == target and kernel.is_wide()}
        mistakes += [f"{target}: no wide variant of {name}" for name in sorted(wide_names - wide)]
        print(f"{target}: {sum(kernel.target == target for kernel in kernels)} kernels, wide variants of {len(wide)}")
    if not kernels:
        mistakes.append("no kernels")
    print("\n".join(mistakes) or "Their machine code is as it is meant to be.")
    sys.exit(1 if mistakes else 0)


main()
