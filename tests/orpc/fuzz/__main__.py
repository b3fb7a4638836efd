"""Damaged messages by the million: `python -m tests.orpc.fuzz --runs 1000000 --seed 0`.

Half of them are requests, half responses. What breaks a rule is printed with its seed, and
`--runs 1 --seed N` sends that one again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
import traceback
from collections import Counter

from tests.orpc.fuzz import calling, serving

MOST_FINDINGS = 20
REPORT_EVERY = 100_000


async def run(runs: int, first: int, only: str) -> int:
    complaints = serving.Complaints()
    logging.getLogger().addHandler(complaints)
    ended: Counter[str] = Counter()
    findings, began = 0, time.monotonic()
    for seed in range(first, first + runs):
        dice = random.Random(seed)
        message: object = None
        try:
            if only == "requests" or (only == "both" and seed % 2 == 0):
                message = request = serving.damaged_request(dice)
                ended[f"request {await serving.check_request(request, complaints)}"] += 1
            else:
                message = answer = calling.damaged_answer(dice)
                ended[f"response {await calling.check_answer(answer)}"] += 1
        except Exception:
            findings += 1
            print(f"seed {seed}: {message}", file=sys.stderr)
            traceback.print_exc()
            if findings >= MOST_FINDINGS:
                break
        if (seed - first + 1) % REPORT_EVERY == 0:
            print(f"{seed - first + 1:,} sent, {findings} findings", flush=True)
    took = time.monotonic() - began
    print(f"{sum(ended.values()) + findings:,} messages in {took:,.0f} s, {findings} findings")
    for how, count in sorted(ended.items()):
        print(f"{count:>10,}  {how}")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["requests", "responses", "both"], default="both")
    arguments = parser.parse_args()
    sys.exit(min(1, asyncio.run(run(arguments.runs, arguments.seed, arguments.only))))


if __name__ == "__main__":
    main()
