#!/usr/bin/env python3
"""Turns PyTorch's file of weights into a safetensors file, for `bninception convert`.

usage: to_safetensors.py bn_inception-239d2248.pth bn_inception.safetensors

Needs torch and safetensors from PyPI. A .pth file is a pickle: open one only from someone whom you trust.
"""
import sys

import safetensors.torch
import torch

source, target = sys.argv[1:]
weights = torch.load(source, map_location="cpu", encoding="latin1")  # the published file comes from Python 2
safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in weights.items()}, target)
print(f"{target}: {len(weights)} tensors")
