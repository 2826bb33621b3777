#!/usr/bin/env python3
"""Predicted time of one training step on a GPU, from the plan of that step: bytes and operations over stated rates.

usage: model.py PLAN.json... [--measured PROFILE.json...]
       model.py --seconds PLAN.json [GPUS]      prints the step's time alone; by that many GPUs, each with such a part

A plan is what `bninception profile CONFIG --plan-only DEVICE.json --json` prints, a profile what the same command prints
on that GPU without --plan-only. Without profiles the columns "measured" stay empty.

Every launch costs at least LAUNCH seconds from start to start inside a CUDA graph. An op's time in one direction is the
largest of that, of its bytes over the memory's rate, and of its operations over the arithmetic's rate. What fits in half
of the level-2 cache is taken from it. Several GPUs of one machine exchange the gradients after the backward pass: each
sends as many bytes as in a ring.
"""
import json
import sys

# Data sheets: memory in TB/s, the link to other GPUs (NVLink, else PCIe) in TB/s in one direction, dense matrix products
# in TFLOP/s by type, level-2 cache in TB/s (rough) and MB.
RATES = {
    "NVIDIA A100-SXM4-80GB": {"memory": 2.04, "link": 0.3, "l2": 4.0, "l2_mb": 40, "bf16": 312, "tf32": 156, "f32": 19.5},
    "NVIDIA GeForce RTX 4090": {"memory": 1.01, "link": 0.032, "l2": 4.5, "l2_mb": 72, "bf16": 165, "tf32": 82.6, "f32": 82.6},
    "NVIDIA H100 80GB HBM3": {"memory": 3.35, "link": 0.45, "l2": 5.5, "l2_mb": 50, "bf16": 989, "tf32": 494, "f32": 67},
    "NVIDIA H200": {"memory": 4.8, "link": 0.45, "l2": 5.5, "l2_mb": 50, "bf16": 989, "tf32": 494, "f32": 67},
    "NVIDIA B200": {"memory": 8.0, "link": 0.9, "l2": 10.0, "l2_mb": 126, "bf16": 2250, "tf32": 1100, "f32": 75},
}
MEMORY_SHARE = 0.85  # of the data sheet's rate, that streaming kernels reach
CONVOLUTION_SHARE = {3: 0.55}  # of the arithmetic's rate, by the kernel's size
OTHER_SHARE = 0.40
LINK_SHARE = 0.7
LAUNCH = 2.2e-6
EXCHANGES, EXCHANGE = 4, 20e-6  # gradients and statistics, out and back; what each takes at least
LIBRARY = ("cudnn", "cublasLt")
PRODUCTS = ("conv2d", "separable_conv2d", "linear")


def bytes_of(tensor):
    n, h, w, c = tensor["shape"]
    return n * h * w * c * {"bf16": 2, "f32": 4, "i32": 4, "u8": 1}[tensor["type"]]


def window_of(op):
    """The size of a convolution's kernel, from its count of products."""
    n, h, w, c = op["y"]["shape"]
    return round((op["multiply_adds"] / (n * h * w * c * op["x"][0]["shape"][3])) ** 0.5)


class Row:
    def __init__(self):
        self.launches, self.bytes, self.operations, self.seconds = 0, 0, 0, 0.0


class Model:
    def __init__(self, plan):
        self.plan = plan
        self.rates = RATES[plan["device"]]
        self.rows = {}  # (kind of op, direction) -> Row
        ops = plan["ops"]
        for op, following in zip(ops, ops[1:] + ops[-1:]):
            self.add_forward(op)
            # Where a value is written by several ops, its gradient is summed before the last of them; the next op reads it.
            self.add_backward(op, following["x"][0])
        # The update reads three slabs and writes two. In bf16 the gradients are half a slab, and the rounded weights half.
        slab = plan["memory"]["parameters"] // 3  # values; as many gradients and velocities
        launches = len(plan["update"]) - 1
        self.add(("update", ""), 1, slab * 5)
        self.add(("update", ""), launches, 0)

    def add(self, where, launches, traffic, operations=0, share=OTHER_SHARE, set_bytes=None):
        """traffic: bytes moved; set_bytes: what must stay in the level-2 cache for its rate to hold."""
        fits = (traffic if set_bytes is None else set_bytes) < self.rates["l2_mb"] * 1e6 / 2
        rate = self.rates["l2"] if fits else self.rates["memory"] * MEMORY_SHARE
        arithmetic = self.rates[self.plan["precision"]] * share
        row = self.rows.setdefault(where, Row())
        row.launches += launches
        row.bytes += traffic
        row.operations += operations
        row.seconds += max(launches * LAUNCH, traffic / rate / 1e12, operations / arithmetic / 1e12)

    def add_product(self, where, op):
        share = OTHER_SHARE if op["kind"] == "linear" else CONVOLUTION_SHARE.get(window_of(op), OTHER_SHARE)
        self.add(where, 1, bytes_of(op["x"][0]) + bytes_of(op["y"]), 2 * op["multiply_adds"], share)

    def add_forward(self, op):
        where, launches = (op["kind"], "forward"), len(op["forward"])
        x, y = sum(map(bytes_of, op["x"])), bytes_of(op["y"])
        if op["kind"] in PRODUCTS:
            self.add_product(where, op)
            self.add(where, launches - 1, 0)
        elif op["kind"] == "batch_norm":  # x, x again, y
            self.add(where, launches, 3 * y)
        else:
            self.add(where, launches, x + y + op["saved_bytes"])

    def add_backward(self, op, summed):
        where, launches = (op["kind"], "backward"), len(op["backward"])
        x, y = sum(map(bytes_of, op["x"])), bytes_of(op["y"])
        if op["gradient_terms"] > 1:
            self.add(where, 1, (op["gradient_terms"] + 1) * bytes_of(summed))
            launches -= 1
        if op["kind"] in PRODUCTS:
            products = sum(name in LIBRARY for name in op["backward"])
            for _ in range(products):
                self.add_product(where, op)
            self.add(where, launches - products, 0)
        elif op["kind"] == "batch_norm":  # x, dy, x and dy again, dx
            self.add(where, launches, 5 * y)
        elif op["kind"] == "local_response_norm":  # x, dy, dx
            self.add(where, launches, 3 * y)
        else:
            self.add(where, launches, x + y + op["saved_bytes"] + op["added_terms"] * x)

    def exchange(self, gpus):
        """Seconds in which so many GPUs hand on their gradients and receive the sums."""
        if gpus == 1:
            return 0.0
        gradients = self.plan["memory"]["parameters"] / 3 / (2 if self.plan["precision"] == "bf16" else 1)
        moved = 2 * gradients * (gpus - 1) / gpus
        return moved / (self.rates["link"] * LINK_SHARE * 1e12) + EXCHANGES * EXCHANGE

    def launches(self):
        return sum(row.launches for row in self.rows.values())

    def seconds(self):
        return sum(row.seconds for row in self.rows.values())


def measured_times(profile):
    """(kind, direction) -> ms, each op waited for by itself; and the whole step's."""
    times = {("update", ""): profile["update_ms"]}
    for op in profile["ops"]:
        for direction in ("forward", "backward"):
            where = op["kind"], direction
            times[where] = times.get(where, 0.0) + op[direction + "_ms"]
    return times, profile["step_ms"]


def main():
    paths = sys.argv[1:]
    if paths[0] == "--seconds":
        with open(paths[1], encoding="utf-8") as file:
            model = Model(json.load(file))
        print(model.seconds() + model.exchange(int(paths[2]) if len(paths) > 2 else 1))
        return
    split = paths.index("--measured") if "--measured" in paths else len(paths)
    models = []
    for path in paths[:split]:
        with open(path, encoding="utf-8") as file:
            models.append(Model(json.load(file)))
    profiles = {}
    for path in paths[split + 1:]:
        with open(path, encoding="utf-8") as file:
            profile = json.load(file)
        profiles[profile["batch"], profile["precision"]] = measured_times(profile)
    print("| GPU | batch | launches | predicted step, ms | images/s | launches alone, ms | memory, GB | measured step, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for model in models:
        plan = model.plan
        if model.launches() != plan["launches"]:
            sys.exit(f"the model counts {model.launches()} launches and the plan {plan['launches']}")
        _, step = profiles.get((plan["batch"], plan["precision"]), ({}, None))
        print(f"| {plan['device']} | {plan['batch']} | {model.launches()} | {model.seconds() * 1e3:.1f} | "
              f"{plan['batch'] / model.seconds():.0f} | {model.launches() * LAUNCH * 1e3:.2f} | "
              f"{plan['memory']['total'] / 1e9:.1f} | {'' if step is None else round(step, 2)} |")
    for model in models:
        plan = model.plan
        times, _ = profiles.get((plan["batch"], plan["precision"]), ({}, None))
        print(f"\n{plan['device']}, batch {plan['batch']}, {plan['precision']}, cuDNN {plan['cudnn']}:\n")
        print("| work | direction | launches | GB | TFLOP | predicted, ms | measured alone, ms |")
        print("|---|---|---|---|---|---|---|")
        for where, row in sorted(model.rows.items(), key=lambda item: -item[1].seconds):
            time = times.get(where)
            print(f"| {where[0]} | {where[1]} | {row.launches} | {row.bytes / 1e9:.2f} | {row.operations / 1e12:.2f} | "
                  f"{row.seconds * 1e3:.2f} | {'' if time is None else round(time, 2)} |")


if __name__ == "__main__":
    main()
