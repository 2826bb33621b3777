#!/usr/bin/env python3
"""Images a second of a whole PyTorch training step (forward, loss, backward, SGD with momentum), or of evaluation with
batch norm folded into the convolutions, of the network that a table in configs/networks describes: channels-last, on
resident data. Prints one JSON object, with the peak resident memory. A peer to measure against: nothing of the product
runs on it. It runs on the CPU where PyTorch finds no GPU. The table may be JSON, for where there is no PyYAML.

  pytorch_peer.py configs/networks/inception.yaml --batch 32 --precision f32|tf32|bf16 [--mode eager|compile]

With --turns it prints "ready" when it is warm, then measures once for each line on standard input, so that it can take
turns with another program.
"""

import argparse
import json
import os
import resource
import sys
import time

import torch
from torch import nn


class Convolution(nn.Sequential):
    def __init__(self, inputs, filters, patch=1, stride=1):
        super().__init__(
            nn.Conv2d(inputs, filters, patch, stride, patch // 2, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3),
            nn.ReLU(inplace=True),
        )
        self.filters = filters


def pool(kind, stride):
    if kind == "max":
        return nn.MaxPool2d(3, stride, padding=0 if stride == 2 else 1, ceil_mode=stride == 2)
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


class Inception(nn.Module):
    def __init__(self, inputs, row):
        super().__init__()
        stride = row.get("stride", 1)
        branches = []
        if row["1x1"]:
            branches.append(Convolution(inputs, row["1x1"]))
        reduce, double_reduce = row["3x3_reduce"], row["double_3x3_reduce"]
        branches.append(nn.Sequential(Convolution(inputs, reduce), Convolution(reduce, row["3x3"], 3, stride)))
        branches.append(
            nn.Sequential(
                Convolution(inputs, double_reduce),
                Convolution(double_reduce, row["double_3x3"], 3),
                Convolution(row["double_3x3"], row["double_3x3"], 3, stride),
            )
        )
        self.filters = row["1x1"] + row["3x3"] + row["double_3x3"]
        if row["projection"]:
            branches.append(nn.Sequential(pool(row["pool"], stride), Convolution(inputs, row["projection"])))
            self.filters += row["projection"]
        else:
            branches.append(pool(row["pool"], stride))
            self.filters += inputs
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def build(table, classes):
    layers, channels = [], table["image_channels"]
    for row in table["rows"]:
        kind = row["type"]
        if kind == "convolution":
            if row.get("reduce"):
                layers.append(Convolution(channels, row["reduce"]))
                channels = row["reduce"]
            layers.append(Convolution(channels, row["filters"], row["patch"], row.get("stride", 1)))
            channels = row["filters"]
        elif kind == "max_pool":
            layers.append(nn.MaxPool2d(row["patch"], row["stride"], ceil_mode=True))
        elif kind == "average_pool":
            layers.append(nn.AdaptiveAvgPool2d(1))
        else:
            layers.append(Inception(channels, row))
            channels = layers[-1].filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, classes))


def build_mlp(table, classes, normalization):
    layers, size = [nn.Flatten()], table["image_size"] ** 2 * table["image_channels"]
    for units in table["hidden"]:
        layers.append(nn.Linear(size, units, bias=normalization == "none"))
        if normalization == "batch":
            layers.append(nn.BatchNorm1d(units, eps=1e-3))
        layers.append(nn.Sigmoid())
        size = units
    return nn.Sequential(*layers, nn.Linear(size, classes))


def fold(model):
    """Every batch norm becomes part of its convolution."""
    for part in model.modules():
        if isinstance(part, Convolution):
            part[0] = nn.utils.fusion.fuse_conv_bn_eval(part[0], part[1])
            part[1] = nn.Identity()
    return model


def read_table(path):
    with open(path, encoding="utf-8") as file:
        if path.endswith(".json"):
            return json.load(file)
        import yaml

        return yaml.safe_load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--normalization", choices=["batch", "none"], default="batch", help="of a table of kind mlp")
    parser.add_argument("--evaluate", action="store_true", help="folded evaluation in place of training")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--turns", action="store_true")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high" if options.precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    table = read_table(options.table)
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    if table.get("kind") == "mlp":
        model = build_mlp(table, options.classes, options.normalization)
    else:
        model = build(table, options.classes)
    if options.evaluate:
        model = fold(model.eval())
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=2e-4)
    size = table["image_size"]
    images = torch.randn(options.batch, table["image_channels"], size, size, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(options.classes, (options.batch,), device=device)

    def evaluate():
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=options.precision == "bf16"):
            return model(images)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=options.precision == "bf16"):
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    def synchronize():
        if device == "cuda":
            torch.cuda.synchronize()

    if options.mode == "compile":
        model = torch.compile(model)
    step = evaluate if options.evaluate else train
    at_once = 10 if device == "cuda" else 1
    for _ in range(10 if device == "cuda" else 2):
        step()
    synchronize()

    def measure():
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < options.seconds:
            for _ in range(at_once):
                step()
            synchronize()
            steps += at_once
        seconds = (time.perf_counter() - start) / steps
        result = {
            "program": f"PyTorch {torch.__version__} {options.mode}",
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "batch": options.batch,
            "precision": options.precision,
            "images_per_second": options.batch / seconds,
            "step_ms": 1e3 * seconds,
            "peak_resident_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        print(json.dumps(result), flush=True)

    if not options.turns:
        measure()
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        measure()


if __name__ == "__main__":
    main()
