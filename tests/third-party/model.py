"""Classifies images with the model of a FAR-SIGN server: an example written from docs/http-api.md alone.

    pip install numpy safetensors
    curl -O http://127.0.0.1:8080/api/v1/model.safetensors
    python model.py --model model.safetensors --images t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz

Prints the fraction of images that the model classifies correctly; writes the class of each to --out FILE, one per line.
"""
import argparse
import gzip

import numpy as np
from safetensors.numpy import load_file


def pixels(path):
    with gzip.open(path) as file:
        count, rows, cols = np.frombuffer(file.read(16), ">u4")[1:]
        return np.frombuffer(file.read(), np.uint8).reshape(count, rows * cols)


def classes(images, model):
    h = images / np.float32(255)
    for layer in range(len(model) // 2):
        h = np.maximum(h, 0) @ model[f"layers.{layer}.weight"] + model[f"layers.{layer}.bias"]
    return h.argmax(axis=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Classifies images with an exported model")
    parser.add_argument("--model", required=True, help="safetensors file")
    parser.add_argument("--images", required=True, help="IDX file, gzipped")
    parser.add_argument("--labels", required=True, help="IDX file, gzipped")
    parser.add_argument("--out", help="file for the classes, one per line")
    args = parser.parse_args()
    predicted = classes(pixels(args.images), load_file(args.model))
    with gzip.open(args.labels) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    if args.out:
        np.savetxt(args.out, predicted, fmt="%d")
    print(f"accuracy {(predicted == labels).mean():.6f}")
