import asyncio

from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from pydantic import ConfigDict


class VivaVerifyRequest(BaseVerifyRequest):
    model_config = ConfigDict(extra="allow")


class VivaVerifyResponse(BaseVerifyResponse):
    model_config = ConfigDict(extra="allow")

    reward_components: dict[str, float]


class VivaResourcesServer(SimpleResourcesServer):
    """A resources server of NeMo-Gym: app.py of a folder in resources_servers/."""

    config: BaseResourcesServerConfig

    async def verify(self, body: VivaVerifyRequest) -> VivaVerifyResponse:
        row = body.model_dump(mode="json")
        answer = await asyncio.to_thread(post, "/verify", {**row, **known_columns(row)})
        return VivaVerifyResponse(**row, reward=answer["reward"], reward_components=answer["reward_components"])


if __name__ == "__main__":
    VivaResourcesServer.run_webserver()
