"""Which replica gets a job: one that has its weights, unless all of those have enough to do.

Serve's own router looks for the weights and then for the shorter of two queues; it leaves the
replicas that have them only when these take nothing more. Here every question is taken at once,
since only a replica's lanes know ranks and shares. So this one leaves them when they are busy.
"""

from __future__ import annotations

from typing import Any

from ray.serve.request_router import MultiplexMixin, RequestRouter


class ByWeights(MultiplexMixin, RequestRouter):
    """Serve's `RequestRouter` of this application; it runs beside the page, in its handle."""

    def initialize_state(self, busy: int = 2, **_: Any) -> None:
        """Args: busy: jobs under way in a replica from which on others may help."""
        self._busy = busy

    async def choose_replicas(
        self, candidate_replicas: list[Any], pending_request: Any = None
    ) -> list[list[Any]]:
        """Groups to try one after the other; of a group the one with the shortest queue."""
        model = pending_request.metadata.multiplexed_model_id if pending_request else ""
        if not model:
            return [candidate_replicas]
        having, fewest, _ = self.rank_replicas_via_multiplex(candidate_replicas, model)
        idle = [one for one in having if self._queue(one) < self._busy]
        if idle:
            return [idle, candidate_replicas]
        return [candidate_replicas] if having else [fewest, candidate_replicas]

    def _queue(self, replica: Any) -> int:
        return self.replica_queue_len_cache.get(replica.replica_id) or 0
