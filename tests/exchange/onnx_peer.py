"""Runs an ONNX model by ONNX Runtime and by OpenCV on given pixels, and compares with given logits.

usage: onnx_peer.py MODEL PIXELS LOGITS    raw files: u8 [n, h, w, c] and f32 [n, classes]

Prints how far the logits are apart on the first 50 images, in parts of their largest, and on how many images the
likeliest class differs. The exit status is 0 only if ONNX's checker takes the model, no logit is further off than 1e-5 of
the largest, and no class differs.
"""
import sys

import cv2
import numpy
import onnx
import onnxruntime

model_path, pixels_path, logits_path = sys.argv[1:]
onnx.checker.check_model(onnx.load(model_path), full_check=True)

session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
(images,), (logits,) = session.get_inputs(), session.get_outputs()
assert images.type == "tensor(uint8)" and images.shape[0] == "batch", (images.type, images.shape)
assert logits.name == "logits" and logits.shape[0] == "batch", (logits.name, logits.shape)
pixels = numpy.fromfile(pixels_path, numpy.uint8).reshape(-1, *images.shape[1:])
expected = numpy.fromfile(logits_path, numpy.float32).reshape(len(pixels), -1)


def by_runtime():
    return numpy.concatenate([session.run(None, {images.name: pixels[i : i + 64]})[0] for i in range(0, len(pixels), 64)])


def by_opencv():
    network = cv2.dnn.readNetFromONNX(model_path)
    network.setInput(pixels[:50])
    return network.forward()


failed = False
for name, results in (("ONNX Runtime", by_runtime()), ("OpenCV", by_opencv())):
    count = len(results)
    apart = numpy.abs(results[:50] - expected[:50]).max() / numpy.abs(expected[:50]).max()
    differ = int((results.argmax(1) != expected[:count].argmax(1)).sum())
    print(f"{name}: {count} images, logits {apart:.2g} of the largest apart, {differ} classes differ")
    failed |= not apart <= 1e-5 or differ > 0
sys.exit(failed)
