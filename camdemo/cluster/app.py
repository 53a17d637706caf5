"""The application that Ray Serve deploys: `serve run camdemo.cluster.app:build`, or serve.yaml.

Annotations are no texts here: Serve makes `Arguments` of what it is given because `build` has it.
"""

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, RequestRouterConfig

from ..options import of
from ..settings import Settings
from .replica import Replica

_DEFAULTS = {each.name: each.default for each in of(Settings)}
_DEPTH = 2  # jobs a lane, one that runs and one that waits: from there on others help
_ALL = 10_000  # jobs that a replica takes: its lanes know best who goes first


class Arguments(BaseModel):
    """What can be set: on the command line of `serve run`, or in serve.yaml.

    Attributes:
        lanes: networks that run at the same time in a replica, on a core each.
        replicas: how many there are at least.
        most_replicas: and at most; they come when more is asked than their lanes can do.
        cache_models: networks that a replica keeps in memory.
        add: models of one's own, as `camdemo serve --add` takes them. Their files must be there on
            all machines, and their functions return the same numbers everywhere.
    """

    model_config = ConfigDict(extra="forbid")

    lanes: int = Field(1, ge=1, le=256)
    replicas: int = Field(1, ge=1)
    most_replicas: int = Field(1, ge=1)
    cache_models: int = Field(_DEFAULTS["cache_models"], ge=1)
    add: list[str] = []

    @model_validator(mode="after")
    def _most_is_not_less(self) -> "Arguments":
        if self.most_replicas < self.replicas:
            raise ValueError(f"most_replicas is less than replicas, {self.replicas}.")
        return self


def build(arguments: Arguments) -> Application:
    """The application of these settings."""
    deployment = serve.deployment(
        name="engine",
        ray_actor_options={"num_cpus": arguments.lanes},
        max_ongoing_requests=_ALL,
        autoscaling_config=AutoscalingConfig(
            min_replicas=arguments.replicas,
            max_replicas=arguments.most_replicas,
            target_ongoing_requests=_DEPTH * arguments.lanes,
            upscale_delay_s=5,
            look_back_period_s=15,
            downscale_delay_s=300,
        ),
        request_router_config=RequestRouterConfig(
            request_router_class="camdemo.cluster.routing.ByWeights",  # type: ignore[arg-type]
            request_router_kwargs={"busy": _DEPTH * arguments.lanes},
        ),
        health_check_period_s=5,
        graceful_shutdown_timeout_s=5,
    )(Replica)
    return deployment.bind(arguments.lanes, arguments.cache_models, arguments.add)
