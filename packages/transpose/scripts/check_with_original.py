"""Runs files of ours on the original's engine, lets its exporter transpose the plain one, and compares the answers. By hand; check-with-original.md
says how the wheel is installed.

  python check_with_original.py PLAIN THEIRS OURS IDS.npy MASK.npy

PLAIN and OURS are folders written by `ne transpose --original` (the first with --exclude '*'); THEIRS is made. Exit status 1: the files that
the original and we transposed do not give the same answers.
"""

import os
import sys

os.environ.setdefault("GLOG_minloglevel", "2")
import numpy as np
from intel_extension_for_transformers.llm.runtime.deprecated.compile.graph import Graph


def load(folder):
    graph = Graph()
    graph.graph_init(f"{folder}/conf.yaml", f"{folder}/model.bin", load_weight=True)
    return graph


def run(folder, feeds):
    return list(load(folder).inference(feeds).values())[0]


def main(plain, theirs, ours, *inputs):
    feeds = [np.load(path).astype("int32") for path in inputs]
    graph = load(plain)
    graph.transpose_mode_int8()
    graph.save(theirs)
    untransposed, by_them, by_us = (run(folder, feeds) for folder in (plain, theirs, ours))
    largest = np.abs(by_us - by_them).max()
    print("largest logit", np.abs(untransposed).max())
    print("transposed by us and by them differ by", largest)
    print("transposed and untransposed differ by", np.abs(by_us - untransposed).max())
    return int(not largest <= 1e-6)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
