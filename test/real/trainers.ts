/** The environment in which other trainers are driven. */
import type { PythonNeeds } from "./python.ts";

/** TRL, and the packages of other trainers with what their reward interfaces import, without what they train with. */
export const trainers: PythonNeeds = {
  name: "trainers",
  requirements: [
    ...["trl==1.16.0", "transformers==5.23.0", "torch==2.13.0", "peft==0.21.2", "datasets==5.2.0", "pillow==13.0.0"],
    ...["requests==2.34.2", "aiohttp==3.14.5", "msgpack==1.2.4", "jsonschema==4.26.0", "importlib_metadata==10.2.0"],
  ],
  withoutDependencies: [
    ...["verl==0.9.1", "ms-swift==4.6.0", "openrlhf==0.11.2", "ray==2.57.0", "tensordict==0.10.0", "protobuf==7.36.2"],
    ...["modelscope==1.40.2", "modelscope-hub==0.5.1", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"],
    ...["pylatexenc==2.11", "orjson==3.13.0", "pyvers==0.2.3", "cloudpickle==3.1.3", "json_repair==0.64.6"],
    ...[
      "hydra-core==1.3.8",
      "omegaconf==2.4.0",
      "antlr4-python3-runtime==4.13.2",
      "codetiming==1.4.0",
      "dacite==1.9.2",
    ],
  ],
};
