"""Backend `embedded` beside TF-IDF with a linear SVM, on texts of 77 intents (banking77).

    python -m tests.benchmarks.intents TRAIN.csv TEST.csv [--many 100000]

The files have the columns text and category; they are not part of the project (PolyAI, CC BY 4.0).
Prints, for all train texts and for three draws of 20 and of 5 a category, how many test texts are
put right by both, the calibration error, and the CPU of training; `--many` trains on so many texts.
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from tests.benchmarks.calibration import calibration_error
from twin.assistant.classifier import Classifier


def svm():
    union = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    return make_pipeline(union, LinearSVC())


def beside(train, test, names):
    code = {name: k for k, name in enumerate(names)}
    learnt, truth = (np.array([code[c] for c in t["category"]]) for t in (train, test))
    start = time.process_time()
    model = Classifier(names, list(train["text"]), learnt)
    spent = time.process_time() - start
    given, confidence = model.classify(list(test["text"]))
    plain = svm().fit(train["text"], learnt).predict(test["text"])
    right = given == truth
    return right.mean(), (plain == truth).mean(), calibration_error(confidence, right), spent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--many", type=int, default=0)
    options = parser.parse_args()
    os.environ["TWIN_CACHE"] = "off"
    train, test = pd.read_csv(options.train), pd.read_csv(options.test)
    names = sorted(set(train["category"]))
    if options.many:
        # The same words in another order, so that texts differ.
        rng = np.random.default_rng(0)
        rows = rng.integers(0, len(train), options.many)
        texts = [" ".join(rng.permutation(train["text"][k].split())) for k in rows]
        labels = np.array([names.index(train["category"][k]) for k in rows])
        start, wall = time.process_time(), time.perf_counter()
        model = Classifier(names, texts, labels)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        right = f"right {model.accuracy:.3f} in cross-validation"
        print(f"{options.many} texts: {cpu:.1f} s CPU, {wall:.1f} s, {used:.2f} GB, {right}")
        return
    for each in (5, 20, None):
        for draw in range(1 if each is None else 3):
            some = train
            if each is not None:
                some = train.groupby("category").sample(each, random_state=draw)
            mine, plain, error, spent = beside(some, test, names)
            print(f"{each or 'all':>4} draw {draw}: embedded {mine:.4f}, SVM {plain:.4f}, "
                  f"calibration error {error:.3f}, {spent:.1f} s CPU", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
