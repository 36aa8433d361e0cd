"""Runs another engine on one core: python peer.py openvino|deepsparse|original MODEL BATCH TOKENS

Says "peer VERSION" when it has warmed up; then, for each line on stdin, runs once and says "peer MILLISECONDS". The caller has bound the process.
"""

import os
import sys
import time
from importlib.metadata import version

engine, model, batch, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ["OPENVINO_TELEMETRY"] = "0"
os.environ["NM_DISABLE_ANALYTICS"] = "1"
import numpy as np

ids = np.random.default_rng(0).integers(1, 1000, (batch, tokens)).astype("int64")
mask = np.ones_like(ids)

if engine == "openvino":
    import openvino as ov

    core = ov.Core()
    network = core.read_model(model)
    network.reshape({port.any_name: [batch, tokens] for port in network.inputs})
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1", "ENABLE_CPU_PINNING": False}
    request = core.compile_model(network, "CPU", options).create_infer_request()
    feeds = {"input_ids": ids, "attention_mask": mask}
    run = lambda: request.infer(feeds, share_inputs=True, share_outputs=True)
    name = version("openvino")
elif engine == "deepsparse":
    import shutil
    import tempfile

    import deepsparse

    # It writes fixed shapes into the file that it is given.
    folder = tempfile.TemporaryDirectory()
    copy = shutil.copy(model, folder.name)
    feeds = [ids, mask]
    shapes = [[batch, tokens]] * len(feeds)
    loaded = deepsparse.Engine(model=copy, batch_size=batch, num_cores=1, input_shapes=shapes)
    run = lambda: loaded.run(feeds, val_inp=False)
    name = version("deepsparse")
elif engine == "original":
    from intel_extension_for_transformers import neural_engine_py

    loaded = neural_engine_py.Model(model + "/conf.yaml", model + "/model.bin")
    feeds = [ids.astype("int32"), mask.astype("int32")]
    run = lambda: loaded.forward(feeds)
    name = version("intel-extension-for-transformers")
else:
    sys.exit("there is no engine " + engine)

for _ in range(3):
    run()
print("peer " + name, flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    run()
    print("peer %.4f" % ((time.perf_counter() - started) * 1e3), flush=True)
