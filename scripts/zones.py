#!/usr/bin/env python3
"""Writes the zones of core/src/limit/calendar: zones.txt, the table, and vectors.txt, which proves what the table is read as.

    python3 -m venv build/zones
    build/zones/bin/pip install --require-hashes --requirement scripts/python/tzdata.txt
    build/zones/bin/python scripts/zones.py

A zone's rule is the last line of its file (RFC 8536 section 3.3). It says nothing of the past, and for a few zones not all of what is
to come: of those the table has the names alone. The vectors are found without rules: zoneinfo says what the clock shows in every
quarter of an hour.
"""

import datetime
import hashlib
import io
import pathlib
import struct
import zoneinfo
from collections import defaultdict
from importlib import resources

import tzdata

FOLDER = pathlib.Path(__file__).parent.parent / "core/src/limit/calendar"
# What the vectors are of: the years ahead, which has a leap year, and one that is not though four divides it; all of it after today.
YEARS = [2027, 2028, 2061, 2100]
# No clock ever shows this zone's time.
NOT_A_PLACE = {"Factory"}
UTC = datetime.timezone.utc
QUARTER = 900


def content(name):
    """A zone's file."""
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


def parts(file):
    """The moments at which a clock was or will be changed, as far as the file lists them, and the rule from then on."""

    def block(start, width):
        utc, standard, leaps, times, types, letters = struct.unpack_from(">6l", file, start + 20)
        first = start + 44
        after = first + times * (width + 1) + types * 6 + letters + leaps * (width + 4) + standard + utc
        return [time for (time,) in struct.iter_unpack(f">{'lq'[width // 8]}", file[first : first + times * width])], after

    _, second = block(0, 4)
    moments, footer = block(second, 8)
    return moments, file[footer:].decode("ascii").strip()


def rule_alone(rule):
    """A zone that has had this rule since ever."""
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 1) + bytes(6) + b"\0"
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(empty + empty + f"\n{rule}\n".encode("ascii")))


def holds(rule, moments, zone, since):
    """Whether the clock shows from `since` on what the rule says."""
    listed = [moment for moment in moments if moment >= since]
    until = max(listed, default=since) + 366 * 86_400
    asked = [since, *range(since, until, 6 * 3_600), *listed, *(moment - 1 for moment in listed)]
    by_rule = rule_alone(rule)
    return all(offset(zone, moment) == offset(by_rule, moment) for moment in asked)


def offset(zone, moment):
    """How far the clock is ahead of UTC, in seconds."""
    return round(datetime.datetime.fromtimestamp(moment, zone).utcoffset().total_seconds())


def windows(zone):
    """The start of SHA-256 over the moments at which windows begin within each of the years."""
    begun = {unit: [] for unit in ("hour", "day", "week", "month")}
    for year in YEARS:
        start, end = (round(datetime.datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (year, year + 1))
        latest, before = None, None
        for moment in range(start - 2 * 86_400, end, QUARTER):
            local = datetime.datetime.fromtimestamp(moment, zone)
            hour = (local.replace(minute=0, second=0, tzinfo=None), local.utcoffset())
            # a day that has begun does not begin again when the clock is set back
            latest = max(latest or local.date(), local.date())
            now = {"hour": hour, "day": latest, "week": latest.isocalendar()[:2], "month": (latest.year, latest.month)}
            for unit, window in now.items():
                if before and before[unit] != window and start < moment:
                    begun[unit].append(moment)
            before = now
    text = "".join(f"{unit}\n" + "".join(f"{moment}\n" for moment in moments) for unit, moments in begun.items())
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def lines(groups):
    """One for each group, the largest first."""
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return "".join(" ".join([key, *sorted(names)]) + "\n" for key, names in ordered)


def main():
    today = datetime.datetime.combine(datetime.date.today(), datetime.time(), UTC)
    rules, vectors, known = defaultdict(list), defaultdict(list), {}
    for name in resources.files("tzdata").joinpath("zones").read_text("ascii").split():
        if name in NOT_A_PLACE:
            continue
        file = content(name)
        if file not in known:
            moments, rule = parts(file)
            zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(file))
            regular = holds(rule, moments, zone, round(today.timestamp()))
            known[file] = (rule, windows(zone)) if regular else ("-", None)
        rule, vector = known[file]
        rules[rule].append(name)
        if vector:
            vectors[vector].append(name)
    of = f"IANA time zone database {tzdata.IANA_VERSION} (tzdata {tzdata.__version__})"
    years = ", ".join(map(str, YEARS))
    FOLDER.joinpath("zones.txt").write_text(
        f"# {of}: the rules that hold from {today:%Y-%m-%d} on, and the zones of each.\n"
        "# A rule is a TZ string of POSIX; - where the clock will be changed by none. Written by scripts/zones.py, which says how.\n"
        + lines(rules)
    )
    FOLDER.joinpath("vectors.txt").write_text(
        f"# {of}: a hash of when the windows of {years} begin, by Python's zoneinfo, and its zones.\n"
        "# Written by scripts/zones.py, which says how.\n" + lines(vectors)
    )


if __name__ == "__main__":
    main()
