"""DeepReg's pieces give the same with the zoo's fast ones beneath."""

import os
import subprocess
import sys

import numpy as np
import tensorflow as tf
from deepreg.loss.deform import BendingEnergy


def field():
    rng = np.random.default_rng(0)
    return tf.constant(rng.normal(size=(2, 7, 9, 6, 3)).astype(np.float32))


PLAIN = """
import numpy as np, tensorflow as tf, mmzoo.host
mmzoo.host.activate()
from deepreg.loss.deform import BendingEnergy
u = tf.constant(np.random.default_rng(0).normal(size=(2, 7, 9, 6, 3)).astype(np.float32))
with tf.GradientTape() as tape:
    tape.watch(u)
    value = BendingEnergy()(u)
print(float(value), *tape.gradient(value, u).numpy().ravel()[::97])
"""


def test_bending_keeps_deepregs_value_and_gradient():
    environment = {**os.environ, "MMZOO_ACCELERATE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, check=True
    )
    plain = np.array(run.stdout.split(), float)
    u = field()
    with tf.GradientTape() as tape:
        tape.watch(u)
        value = BendingEnergy()(u)
    assert BendingEnergy.call.__module__.endswith("acceleration")
    ours = [float(value), *tape.gradient(value, u).numpy().ravel()[::97]]
    np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-9)
