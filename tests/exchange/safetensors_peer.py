"""Prints what the safetensors library reads of a file: for each tensor its name, its sides and its first and last value.

usage: safetensors_peer.py FILE
"""
import sys

from safetensors.numpy import load_file

for name, values in sorted(load_file(sys.argv[1]).items()):
    sides = "x".join(map(str, values.shape))
    print(f"{name} {values.dtype} {sides} {values.flat[0]:.9g} {values.flat[-1]:.9g}")
