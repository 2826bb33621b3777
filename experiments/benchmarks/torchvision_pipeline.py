"""torchvision's usual training transforms over the images of a tar, in one thread: the line to compare with.

usage: torchvision_pipeline.py TAR [--seconds S] [--distort]
"""
import argparse
import io
import tarfile
import time

import torch
from PIL import Image
from torchvision import transforms

parser = argparse.ArgumentParser()
parser.add_argument("tar")
parser.add_argument("--seconds", type=float, default=3)
parser.add_argument("--distort", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(1)

steps = [transforms.RandomResizedCrop(224, scale=(0.08, 1), ratio=(3 / 4, 4 / 3)), transforms.RandomHorizontalFlip()]
if arguments.distort:
    steps.append(transforms.ColorJitter(brightness=32 / 255, contrast=0.5, saturation=0.5, hue=0.2))
steps.append(transforms.PILToTensor())  # u8, as this project's loader delivers
pipeline = transforms.Compose(steps)

with tarfile.open(arguments.tar) as tar:
    files = [tar.extractfile(member).read() for member in tar if member.isfile()]


def load(index):
    return pipeline(Image.open(io.BytesIO(files[index % len(files)])).convert("RGB"))


for warm_up in range(20):
    load(warm_up)
start, start_cpu, images = time.perf_counter(), time.process_time(), 0
while time.perf_counter() - start < arguments.seconds:
    load(images)
    images += 1
wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
print(f"{images / wall:.1f} images/s, {images / cpu:.1f} a second of CPU time (torchvision)")
