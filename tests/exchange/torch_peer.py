"""The public BN-Inception in PyTorch, with drawn weights and statistics, beside this project's.

usage: torch_peer.py make FOLDER          writes weights.safetensors, pixels (u8 [n, 224, 224, 3], RGB), logits
                                          (f32 [n, 1000]), and ROW (f32 [n, h, w, c]) for each row of the table
       torch_peer.py check FILE FOLDER    loads FILE, strictly; fails unless its logits on the pixels are within 1e-4

Debian's python3-torch has no safetensors: the format is read and written here.
"""
import json
import pathlib
import struct
import sys

import numpy
import torch
from torch import nn

IMAGES, SIDE, CLASSES = 2, 224, 1000
# 1x1, 3x3 reduce, 3x3, double reduce, double, pool, projection; a 1x1 of 0 steps by two.
MODULES = {
    "3a": (64, 64, 64, 64, 96, "average", 32),
    "3b": (64, 64, 96, 64, 96, "average", 64),
    "3c": (0, 128, 160, 64, 96, "max", 0),
    "4a": (224, 64, 96, 96, 128, "average", 128),
    "4b": (192, 96, 128, 96, 128, "average", 128),
    "4c": (160, 128, 160, 128, 160, "average", 128),
    "4d": (96, 128, 192, 160, 192, "average", 128),
    "4e": (0, 128, 192, 192, 256, "max", 0),
    "5a": (352, 192, 320, 160, 224, "average", 128),
    "5b": (352, 192, 320, 192, 224, "max", 128),
}


class BNInception(nn.Module):
    def __init__(self):
        super().__init__()
        self.add("conv1_7x7_s2", 3, 64, 7, 2)
        self.add("conv2_3x3_reduce", 64, 64, 1)
        self.add("conv2_3x3", 64, 192, 3)
        channels = 192
        for module, (one, reduce, three, double_reduce, double, _, projection) in MODULES.items():
            name, stride = f"inception_{module}_", 1 if one else 2
            if one:
                self.add(name + "1x1", channels, one, 1)
            self.add(name + "3x3_reduce", channels, reduce, 1)
            self.add(name + "3x3", reduce, three, 3, stride)
            self.add(name + "double_3x3_reduce", channels, double_reduce, 1)
            self.add(name + "double_3x3_1", double_reduce, double, 3)
            self.add(name + "double_3x3_2", double, double, 3, stride)
            if projection:
                self.add(name + "pool_proj", channels, projection, 1)
            channels = one + three + double + (projection or channels)
        self.last_linear = nn.Linear(channels, CLASSES)

    def add(self, name, inputs, outputs, kernel, stride=1):
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2))
        self.add_module(name + "_bn", nn.BatchNorm2d(outputs, eps=1e-5))

    def run(self, name, x):
        return torch.relu(getattr(self, name + "_bn")(getattr(self, name)(x)))

    def module(self, module, x):
        one, *_, pool, projection = MODULES[module]
        name = f"inception_{module}_"
        branches = [self.run(name + "1x1", x)] if one else []
        branches.append(self.run(name + "3x3", self.run(name + "3x3_reduce", x)))
        first = self.run(name + "double_3x3_1", self.run(name + "double_3x3_reduce", x))
        branches.append(self.run(name + "double_3x3_2", first))
        if pool == "average":
            pooled = nn.functional.avg_pool2d(x, 3, 1, 1, ceil_mode=True, count_include_pad=True)
        elif projection:
            pooled = nn.functional.max_pool2d(x, 3, 1, 1, ceil_mode=True)
        else:
            pooled = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        branches.append(self.run(name + "pool_proj", pooled) if projection else pooled)
        return torch.cat(branches, 1)

    def forward(self, x):
        rows = {}
        rows["conv1"] = self.run("conv1_7x7_s2", x)
        rows["pool1"] = nn.functional.max_pool2d(rows["conv1"], 3, 2, ceil_mode=True)
        rows["conv2"] = self.run("conv2_3x3", self.run("conv2_3x3_reduce", rows["pool1"]))
        x = rows["pool2"] = nn.functional.max_pool2d(rows["conv2"], 3, 2, ceil_mode=True)
        for module in MODULES:
            x = rows["inception_" + module] = self.module(module, x)
        return self.last_linear(x.mean((2, 3))), rows


def draw(network):
    """Weights, biases, and the statistics that they give on some noise."""
    torch.manual_seed(1)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
                part.bias.uniform_(-1, 1)
            if isinstance(part, nn.BatchNorm2d):
                part.weight.uniform_(0.5, 1.5)
                part.bias.uniform_(-0.5, 0.5)
                part.momentum = 1.0
        network.train()
        network(network_input(noise(4)))
        network.eval()


def noise(images):
    return numpy.random.default_rng(images).integers(0, 256, (images, SIDE, SIDE, 3), numpy.uint8)


def network_input(pixels):
    bgr = torch.from_numpy(pixels.astype(numpy.float32))[..., [2, 1, 0]]
    return (bgr - torch.tensor([104.0, 117.0, 128.0])).permute(0, 3, 1, 2)


def save(path, tensors):
    header, blocks, offset = {}, [], 0
    for name, tensor in tensors.items():
        values = tensor.numpy()
        kind = {"float32": "F32", "int64": "I64"}[str(values.dtype)]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
        blocks.append(values.tobytes())
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def load(path):
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.from_numpy(numpy.frombuffer(data[begin:end], numpy.float32).reshape(entry["shape"]).copy())
    return tensors


network = BNInception()
if sys.argv[1] == "make":
    folder = pathlib.Path(sys.argv[2])
    draw(network)
    pixels = noise(IMAGES)
    with torch.no_grad():
        logits, rows = network(network_input(pixels))
    save(folder / "weights.safetensors", network.state_dict())
    pixels.tofile(folder / "pixels")
    logits.numpy().tofile(folder / "logits")
    for row, output in rows.items():
        output.permute(0, 2, 3, 1).contiguous().numpy().tofile(folder / row)
else:
    folder = pathlib.Path(sys.argv[3])
    network.load_state_dict(load(sys.argv[2]))
    network.eval()
    pixels = numpy.fromfile(folder / "pixels", numpy.uint8).reshape(-1, SIDE, SIDE, 3)
    with torch.no_grad():
        logits = network(network_input(pixels))[0].numpy()
    apart = numpy.abs(logits - numpy.fromfile(folder / "logits", numpy.float32).reshape(logits.shape)).max()
    print(f"PyTorch: {len(pixels)} images, logits of up to {numpy.abs(logits).max():.3g} are {apart:.2g} apart")
    sys.exit(not apart <= 1e-4)
