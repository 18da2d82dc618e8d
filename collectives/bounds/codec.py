"""Read certificates back from the data that `to_dict` made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from collectives.bounds.bound import Certificate, CertificateError
from collectives.bounds.cuts import Cut, Nothing, PartsSum
from collectives.bounds.dual import Lengths


def read_certificate(data: Mapping[str, Any]) -> Certificate:
    """Return a certificate from saved data, such as ``supernode bound --json`` prints.

    Parameters
    ----------
    data
        The certificate's own part of it: ``["bound"]["certificate"]``.

    Raises
    ------
    CertificateError
        If it is not a certificate, or something is missing.
    """
    reader = _READERS.get(str(data.get("kind")))
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise CertificateError(f"certificate of kind {data.get('kind')!r}; known: {known}")
    try:
        return reader(data)
    except (KeyError, TypeError, ValueError) as error:
        raise CertificateError(f"certificate: {error!r} is missing or does not fit") from error


def _cut(data: Mapping[str, Any]) -> Certificate:
    return Cut(
        collective=data["collective"],
        part=frozenset(data["part"]),
        inside=data["part_sends"],
        ranks=tuple(data["ranks"]),
        claim=data["seconds_per_byte"],
        where=data["where"],
        halved=frozenset(data["halved"]),
        relay=data["relay"],
        target=data["target"],
        root=data["root"],
    )


def _parts(data: Mapping[str, Any]) -> Certificate:
    parts = tuple(frozenset(part) for part in data["parts"])
    return PartsSum(parts, tuple(data["ranks"]), data["seconds_per_byte"], data["where"])


def _lengths(data: Mapping[str, Any]) -> Certificate:
    amounts = data["amounts"]
    return Lengths(
        ranks=tuple(data["ranks"]),
        claim=data["seconds_per_byte"],
        where=data["where"],
        links=tuple(
            (row["length"], tuple((u, v) for u, v in row["links"])) for row in data["links"]
        ),
        switches=tuple((row["length"], tuple(row["switches"])) for row in data["switches"]),
        amounts=None if amounts is None else tuple((u, v, float(x)) for u, v, x in amounts),
        relay=data["relay"],
    )


def _nothing(data: Mapping[str, Any]) -> Certificate:
    return Nothing(data["seconds_per_byte"])


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Certificate]] = {
    "cut": _cut,
    "sum over parts": _parts,
    "lengths": _lengths,
    "nothing": _nothing,
}
