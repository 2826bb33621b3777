"""Prints what TensorBoard shows of a log directory: the points of each run's scalars and histograms (left and right edge
and count of each bucket), the sizes of its images, its hyperparameters and how it ended.

usage: tensorboard_peer.py DIRECTORY [--count]    --count: only how many points there are
"""
import struct
import sys

from tensorboard import context, data
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

directory, only_count = sys.argv[1], "--count" in sys.argv
everything = {"scalars": 0, "images": 0, "tensors": 0}  # no reservoir: 0 keeps all
multiplexer = plugin_event_multiplexer.EventMultiplexer(
    size_guidance=everything, tensor_size_guidance={"scalars": 0, "histograms": 0, "images": 0, "hparams": 0}
)
multiplexer.AddRunsFromDirectory(directory)
multiplexer.Reload()
provider = data_provider.MultiplexerDataProvider(multiplexer, directory)
asked = {"ctx": context.RequestContext(), "experiment_id": ""}
ALL = 1 << 30


def png_size(blob):
    return "{}x{}".format(*struct.unpack(">II", blob[16:24]))


def show(kind, plugin, points):
    for run, tags in sorted(points.items()):
        for tag, values in sorted(tags.items()):
            text = f"{len(values)} points" if only_count else " ".join(values)
            print(run, kind, tag, text)


def numbers(values):
    return " ".join(f"{value:g}" for value in values)


scalars = provider.read_scalars(**asked, plugin_name="scalars", downsample=ALL)
histograms = provider.read_tensors(**asked, plugin_name="histograms", downsample=ALL)
images = provider.read_blob_sequences(**asked, plugin_name="images", downsample=ALL)
texts = lambda series, text: {
    run: {tag: [f"{point.step}:{text(point)}" for point in points] for tag, points in tags.items()}
    for run, tags in series.items()
}
show("scalars", "scalars", texts(scalars, lambda point: f"{point.value:g}"))
show(
    "histograms",
    "histograms",
    texts(histograms, lambda point: " ".join(f"[{numbers(bucket)}]" for bucket in point.numpy)),
)
show(
    "images",
    "images",
    texts(
        images,
        lambda point: " ".join(
            png_size(provider.read_blob(ctx=asked["ctx"], blob_key=value.blob_key)) for value in point.values[2:]
        ),
    ),
)
for run, tags in sorted(multiplexer.PluginRunToTagToContent(metadata.PLUGIN_NAME).items()):
    words = []
    for tag, content in sorted(tags.items(), reverse=True):
        message = plugin_data_pb2.HParamsPluginData.FromString(content)
        if message.HasField("session_start_info"):
            values = message.session_start_info.hparams
            kinds = {key: value.WhichOneof("kind") for key, value in values.items()}
            words += sorted(
                f"{key}={value.number_value:g}" if kinds[key] == "number_value" else f"{key}={getattr(value, kinds[key])}"
                for key, value in values.items()
            )
        else:
            words.append(api_pb2.Status.Name(message.session_end_info.status))
    print(run, "hparams", " ".join(words))
