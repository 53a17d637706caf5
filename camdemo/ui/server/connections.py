"""Connections: nobody holds one for nothing, and nobody holds them all.

uvicorn closes what is silent between two requests, and nothing else: who sends the first letter
of a request, or none at all, may stay for ever, until there is no room for others.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_MOST = 1000
_SHARE = 3  # of the files that a process may have open, a third may be connections


class Connection(H11Protocol):
    """One that is closed when it is the client's turn for too long, or when there are too many.

    When there are too many, the address that has most loses one: the one that has been silent
    longest. Behind a proxy all have the same address.
    """

    most = _MOST
    glance = 5.0  # seconds between two looks
    asking = 20.0  # seconds that the first lines of a request may take
    sending = 600.0  # and its body: 20 MB from a bad mobile network
    silence = 30.0  # without a byte of that
    reading = 60.0  # without taking any of the answer

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._heard = self._since = self.loop.time()
        self._unsent = 0  # bytes of answers that the client had not taken at the last look
        self._timer = self.loop.call_later(self.glance, self._look)
        there = [one for one in self.connections if isinstance(one, Connection) and one.is_there()]
        if len(there) > self.most:
            _to_give_up(there).close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        self._since = self.loop.time()  # some of the answer was taken
        super().resume_writing()

    def is_there(self) -> bool:
        """Whether it is not about to be closed."""
        return not self.transport.is_closing()

    def close(self) -> None:
        """Close it now, whatever is under way."""
        self.transport.abort()

    def _look(self) -> None:
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if unsent < self._unsent:  # some of the answer was taken
            self._since = now
        self._unsent = unsent
        patience = self._patience()
        if patience is None:  # it is the server's turn
            self._since = now
        elif now - self._since > patience or self._is_silent(now):
            self.close()
            return
        self._timer = self.loop.call_later(self.glance, self._look)

    def _patience(self) -> float | None:
        """How long the client may take for what is awaited of it; None where nothing is."""
        # To uvicorn an answer is complete once its end is in the buffer, long before it is sent.
        if self.transport.get_write_buffer_size() or self.flow.write_paused:
            return self.reading
        if self.cycle is None or self.cycle.response_complete:
            return self.asking
        return self.sending if self._is_sending() else None

    def _is_sending(self) -> bool:
        return self.cycle.more_body and not self.flow.read_paused

    def _is_silent(self, now: float) -> bool:
        is_answered = self.cycle is None or self.cycle.response_complete
        return not is_answered and self._is_sending() and now - self._heard > self.silence

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: what a stranger would rather speak is no news for the log."""


def _to_give_up(connections: list[Connection]) -> Connection:
    hosts = Counter(one.client and one.client[0] for one in connections)
    (host, _count), *_ = hosts.most_common(1)
    those = [one for one in connections if (one.client and one.client[0]) == host]
    return min(those, key=lambda one: one._heard)


def make_room() -> int:
    """Let this process have as many open files as it may; returns how many connections fit."""
    if sys.platform == "win32":
        return _MOST
    import resource

    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _SHARE * _MOST
    if least != resource.RLIM_INFINITY and least < wanted:
        least = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))
    return _MOST if least == resource.RLIM_INFINITY else min(_MOST, least // _SHARE)
