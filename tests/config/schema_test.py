#!/usr/bin/env python3
"""The JSON Schema and the program agree on which configurations are right.

usage: schema_test.py PROGRAM SOURCES

Every file under configs/ is valid and names its schema in the first line; each of the mistakes below is refused by both.
Exits with 77, which CTest shows as skipped, where python3-jsonschema or python3-yaml is missing.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"skipped: {error}; Debian has python3-jsonschema and python3-yaml")
    sys.exit(77)

PROGRAM, SOURCES = sys.argv[1], pathlib.Path(sys.argv[2])

EXPERIMENT = """\
model:
  network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}
  classes: 10
data: {image_size: 32, resize_shorter: 0}
train: {steps: 10}
"""
TABLE = "model: {network: {kind: inception, image_size: 32, image_channels: 3, rows: [%s], auxiliary: none}}\n"
ROW = "{row: a, type: inception, 1x1: 8, 3x3_reduce: 8, 3x3: 8, double_3x3_reduce: 8, double_3x3: 8, pool: max, projection: 8}"

# A line that is added to the experiment, or a whole file where it has a key `model`.
MISTAKES = [
    "trian: {}",
    "train: {momentm: 0.9}",
    "train: {dropout: 0.5}",
    "train: {batch: many}",
    "train: {batch: 1.5}",
    'train: {batch: "32"}',
    "train: {batch: [32]}",
    "train: {batch: {a: 1}}",
    "train: {batch: ~}",
    "train: {batch: 0}",
    "train: {seed: -1}",
    "train: {l2: .nan}",
    "train: {learning_rate: {decay_factor: 1.5}}",
    "train: {learning_rate: {shape: linear}}",
    "train: {learning_rate: {shape: polynomial, power: -1}}",
    "train: {learning_rate: {decay_factor: 0.1, decay_at_epochs: [0, 30]}}",
    "train: {learning_rate: {decay_factor: 0.1, decay_at_epochs: 30}}",
    "train: {learning_rate: {warmup_epochs: -1}}",
    "batch_norm: true",
    "batch_norm: {eps: 0}",
    "batch_norm: {eps: 1e300}",
    "batch_norm: {zzz: 0.9}",
    "device: gpu",
    "cpu: {winograd: maybe}",
    "cpu: {bfloat16_math: f16}",
    "threads: -1",
    "plan: {passes: {fuse: true}}",
    "data: {mean: 0.5}",
    "data: {mean: [0, x, 0]}",
    "data: {train: a.tar}",
    "data: {augment: {flip: yes}}",
    "data: {classes: [a]}",
    "model: {dropout: 1, network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}}",
    "model: {activation: rellu, network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}}",
    "model: {freeze: hidden1, network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}}",
    "model: {init_from: [a], network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8]}}",
    "model: {classes: 10}",
    "model: {network: {hidden: [8]}}",
    "model: {network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [wide]}}",
    "model: {network: {kind: mlp, image_size: 32, image_channels: 3, hidden: [8], rows: []}}",
    "model: {network: {kind: inseption, image_size: 32, image_channels: 3, rows: []}}",
    TABLE % "{row: a, type: max_pool, patch: 3, filters: 8}",
    TABLE % "{row: a, type: inception, 1x1: 8, pool: max}",
    TABLE % "{row: a, type: incepton}",
    TABLE % "{row: a}",
    TABLE % "{type: max_pool, patch: 3}",
    TABLE % "{row: a, type: convolution, patch: 3, filters: 8, stridde: 2}",
    TABLE % "conv1",
    (TABLE % ROW).replace("auxiliary: none", "auxiliary: off"),
    (TABLE % ROW).replace("auxiliary: none", "auxiliary: {units: 8}"),
]

# Over the experiment as their base, these are right.
CHANGES = [
    "train: {l2: 1e-4}",
    "train: {learning_rate: {shape: cosine, warmup_epochs: 1, warmup_from: 0.001}}",
    "train: {steps: 0, epochs: 90, learning_rate: {decay_factor: 0.1, decay_at_epochs: [30, 60, 80]}}",
    "model: {network: {hidden: [8, 16]}, freeze: [hidden1], init_from: runs/mine}",
    "model: {network: table.yaml}\ntrain: {batch: 8}",
]


class Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does: 1e-4 is a number, and yes is a word."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^([-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?\.inf|\.nan)$"),
    list("-+.0123456789"),
)


def main():
    failures = []
    schema = json.loads((SOURCES / "configs/schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)

    def refused_by_schema(text):
        document = yaml.load(text, Loader)
        # JSON has no numbers that are not finite.
        return "nan" in json.dumps(document).lower() or not validator.is_valid(document)

    files = sorted((SOURCES / "configs").rglob("*.yaml"))
    for file in files:
        text = file.read_text()
        up = "../" * (len(file.relative_to(SOURCES).parts) - 2)
        if not text.startswith(f"# yaml-language-server: $schema={up}schema.json\n"):
            failures.append(f"{file} does not name its schema")
        for error in validator.iter_errors(yaml.load(text, Loader)):
            failures.append(f"{file}: {error.json_path}: {error.message}")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "base.yaml").write_text(EXPERIMENT)
        (folder / "table.yaml").write_text(TABLE.removeprefix("model: {network: ").rstrip()[:-1] % ROW + "\n")

        def refused_by_program(text):
            (folder / "run.yaml").write_text(text)
            run = subprocess.run([PROGRAM, "config", "check", folder / "run.yaml"], capture_output=True, text=True)
            return run.returncode != 0

        for text in [EXPERIMENT] + ["base: base.yaml\n" + change + "\n" for change in CHANGES]:
            if refused_by_schema(text):
                failures.append(f"the schema refuses:\n{text}")
            if refused_by_program(text):
                failures.append(f"the program refuses:\n{text}")
        for mistake in MISTAKES:
            text = mistake if mistake.startswith("model:") else "base: base.yaml\n" + mistake
            if not refused_by_schema(text):
                failures.append(f"the schema accepts:\n{text}")
            if not refused_by_program(text):
                failures.append(f"the program accepts:\n{text}")

    print("\n".join(failures) or f"{len(files)} files are right, {len(MISTAKES)} mistakes are found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
