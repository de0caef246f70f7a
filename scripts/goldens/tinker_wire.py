"""
Writes binary messages as the released Tinker SDK makes and reads them.

    pip install tinker==0.38.0 && python scripts/goldens/tinker_wire.py test/golden/tinker.json
"""
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tinker import types
from tinker.proto import tinker_public_pb2 as pb
from tinker.proto.request_conv import forward_backward_request_to_proto
from tinker.proto.response_conv import deserialize_forward_backward_output, deserialize_sample_response
from tinker.types.forward_backward_request import ForwardBackwardRequest
from tinker.types.forward_backward_input import ForwardBackwardInput

TOKENS = [10, 20, 30, 40]
TARGETS = [20, 30, 40, 70000]


def tensor(data, dtype):
    return types.TensorData(data=data, dtype=dtype, shape=[len(data)])


datum = types.Datum(
    model_input=types.ModelInput(
        chunks=[
            types.EncodedTextChunk(tokens=TOKENS[:2]),
            types.ImageChunk(data=b"\x89PNG", format="png", expected_tokens=4),
            types.EncodedTextChunk(tokens=TOKENS[2:]),
        ]
    ),
    loss_fn_inputs={
        "target_tokens": tensor(TARGETS, "int64"),
        "weights": tensor([0.0, 0.0, 1.0, 0.5], "float32"),
    },
)
request = forward_backward_request_to_proto(
    ForwardBackwardRequest(
        forward_backward_input=ForwardBackwardInput(
            data=[datum], loss_fn="ppo", loss_fn_config={"clip_low_threshold": 0.8, "clip_high_threshold": 1.28}
        ),
        model_id="session:train:0",
        seq_id=3,
    )
)
request.forward_only = True

output = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics={"loss:sum": 1.5})
record = output.loss_fn_outputs.add()
record.num_datums = 2
arrays = [np.asarray([-1.5, -2.25], np.float32), np.asarray([-0.5], np.float32)]
field = record.fields["logprobs"]
field.data = b"".join(a.tobytes() for a in arrays)
field.offsets = np.asarray([0, 8, 12], np.int64).tobytes()
field.dtype = pb.DTYPE_FLOAT32

sample = pb.SampleResponse()
sequence = sample.sequences.add()
sequence.stop_reason = pb.STOP_REASON_LENGTH
sequence.tokens = np.asarray([5, 6], np.int32).tobytes()
sequence.logprobs = np.asarray([-0.25, -3.0], np.float32).tobytes()
sample.prompt_logprobs = np.asarray([np.nan, -2.0], np.float32).tobytes()

# The SDK reads its own messages: what is stored is what it takes.
assert deserialize_forward_backward_output(output.SerializeToString()).metrics == {"loss:sum": 1.5}
assert deserialize_sample_response(sample.SerializeToString()).sequences[0].stop_reason == "length"


def hexed(message):
    return message.SerializeToString(deterministic=True).hex()


golden = {
    "versions": {"tinker": version("tinker")},
    "request": hexed(request),
    "output": hexed(output),
    "sample": hexed(sample),
}
Path(sys.argv[1]).write_text(json.dumps(golden, indent=2) + "\n")
